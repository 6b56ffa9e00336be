"""Draws weather charts, and look-alikes that are none, in the styles of many offices.

fields, atmosphere    invented weather that obeys simple physics
outlines, frames      coastlines and map projections
style, story, panel   the looks of an image, what it is about, the part of it that one drawing fills
maps, layers, fronts  what lies on a map
charts, lookalikes    the drawing functions, one module a family
lettering             what is written on a picture and where; pen (Pillow) and listening (matplotlib) note it
compose               one image from its number
"""

"""Products from a few example charts each: the nearest example answers, or none where even that is far.

folder        the user's folder: a sub-folder for each product
classifier    nearest products with a calibrated probability
predictor     in the place of the products stage
"""

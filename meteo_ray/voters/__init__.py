"""What votes beside a stage's network: trees on descriptors of the image, a linear model of what is written on it.

They err on other images than a network does. Each voter's answers are log-odds; `calibration.votes` weighs them.
"""

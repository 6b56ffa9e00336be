"""Trained models at work on images: what every predictor looks like, and what evaluation and archive share.

predictor          a bundle loaded: pixels in, columns out
shared_images      images copied to a device once, for several predictors
pieces             a batch in pieces through a network, side by side on a CPU
verdict            from votes to answers, without the pixels
settings           thresholds and other options of the trained cascade
judge              a predictor over the rows of a split, timed
stage_evaluation   how a stage measures what its predictor said
"""

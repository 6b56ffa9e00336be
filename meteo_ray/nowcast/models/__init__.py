"""ConvLSTM and the encoder-forecaster made of it."""

"""Nowcasts of radar rain: readers, extrapolation, ConvLSTM, scores."""

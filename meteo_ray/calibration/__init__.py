"""From scores to decisions and probabilities, fitted on the validation split; knows arrays alone (R13, R25, R40)."""

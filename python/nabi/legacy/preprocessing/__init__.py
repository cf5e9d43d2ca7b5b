"""`keras.preprocessing` as it was: text, sequences, images."""

"""labels.jsonl and images -> a checked, split index: done once before any training (R1-R4).

json_lines, labels_file, cleaning   what the user wrote
image_probe, duplicates             what the images are
splits, leakage                     who learns from what
prepare, prepared, report           all of it, on disk and for people
preview, thumbnails                 what the models will see
"""

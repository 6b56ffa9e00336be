"""How fast an archive is judged, against other ways to do the same: what `make bench` runs.

run, bench    the command line; which sizes, files and models
groups, growth  what is measured: decoding, the archive, a simulated accelerator; how cost grows
interleaved   contenders that take turns, so that what else the machine does falls on all of them alike
sessions      a contender in a process of its own; process_tree: its CPU seconds and its memory
contenders    that process: Pillow's loop, DataLoader, Ray Data as its documentation shows it, and this project's job
floors        what the machine could do at best: the same work in pinned loops without any engine
images, models, judges  what is judged, and by whom; agreement: do all answer alike?
arithmetic    intervals and fits
report, plots  results.json -> docs/benchmarks.md
"""

"""How fast an archive is judged, against other ways to do the same: what `make bench` runs.

run           the command line: which groups, how long, where to
groups        what is measured: decoding, the archive, growth, a simulated accelerator
interleaved   contenders that take turns, so that what else the machine does falls on all of them alike
sessions      a contender in a process of its own, its CPU seconds and its memory
contenders    that process: Pillow's loop, DataLoader, Ray Data as its documentation shows it, and this project's job
floors        what the machine could do at best: the same work in pinned loops without any engine
images, models  what is judged, and by whom
arithmetic    intervals and fits
report        results.json -> docs/benchmarks.md
"""

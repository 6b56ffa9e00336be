"""Similar charts of a classified archive: codes for all of them, an index over these, answers to "charts like this".

indexing, pipeline, encode_charts    codes of the charts that have none yet, through the archive's guarded readers
store                                what stands in the folder: codes by content, the charts in the index's order
hamming_index                        exact search, by faiss
search, queries, page                images in, neighbours out, as a page and as JSON
groups                               charts that are nearly equal; charts unlike each other, to be labelled
"""

import logging

# While it is imported faiss logs each kind of machine code that it looks for and does not find: errors, to a reader.
logging.getLogger("faiss.loader").setLevel(logging.WARNING)

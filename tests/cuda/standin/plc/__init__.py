"""pylibcudf over host memory: the part that a columnar backend needs, answered with NumPy."""

-- Relative Frobenius error of a weight that was rounded at import; NULL: stored as it came.
ALTER TABLE tensor ADD COLUMN error REAL;
-- Cosine of the vectors of a few texts with those of the model as it came; NULL: not measured.
ALTER TABLE version ADD COLUMN mean_cosine REAL;
ALTER TABLE version ADD COLUMN least_cosine REAL;

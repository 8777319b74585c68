-- What a version computes beside its encoder's vectors, each a logical plan of its own.
CREATE TABLE head (
    version INTEGER NOT NULL REFERENCES version ON DELETE CASCADE,
    kind TEXT NOT NULL,        -- classify, tag, fill_mask
    plan TEXT NOT NULL,        -- JSON text, as gpudb.plan wrote it
    labels TEXT NOT NULL,      -- JSON list of texts: names of the outputs
    function TEXT NOT NULL,    -- JSON object: what makes probabilities of logits
    PRIMARY KEY (version, kind)
) STRICT, WITHOUT ROWID;

-- A model is a name; what was imported under it, and when, are its versions.
CREATE TABLE model (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    last_number INTEGER NOT NULL DEFAULT 0  -- numbers of dropped versions are not given again
) STRICT;

CREATE TABLE tokenizer (
    hash TEXT PRIMARY KEY,
    json TEXT NOT NULL
) STRICT;

CREATE TABLE version (
    id INTEGER PRIMARY KEY,
    model INTEGER NOT NULL REFERENCES model ON DELETE CASCADE,
    number INTEGER NOT NULL,
    architecture TEXT NOT NULL,
    config TEXT NOT NULL,      -- JSON object
    plan TEXT NOT NULL,        -- JSON text, as gpudb.plan wrote it
    function TEXT NOT NULL,    -- JSON object: pooling, normalise, max_tokens, prompt
    tokenizer TEXT REFERENCES tokenizer,
    dtype TEXT NOT NULL,
    source TEXT NOT NULL,
    created TEXT NOT NULL,     -- ISO 8601, UTC
    parameters INTEGER NOT NULL,
    nbytes INTEGER NOT NULL,
    UNIQUE (model, number)
) STRICT;
CREATE INDEX version_tokenizer ON version (tokenizer);

CREATE TABLE tensor (
    id INTEGER PRIMARY KEY,
    version INTEGER REFERENCES version ON DELETE CASCADE,  -- NULL: a tensor of its own
    name TEXT NOT NULL,
    shape TEXT NOT NULL,       -- JSON list of integers
    block TEXT NOT NULL,       -- JSON list of integers
    dtype TEXT NOT NULL,
    UNIQUE (version, name)
) STRICT;
CREATE UNIQUE INDEX tensor_standalone ON tensor (name) WHERE version IS NULL;

CREATE TABLE page (
    id INTEGER PRIMARY KEY,
    hash TEXT NOT NULL UNIQUE,
    dtype TEXT NOT NULL,
    nbytes INTEGER NOT NULL,   -- of the file
    blocks INTEGER NOT NULL
) STRICT;

-- A distinct block and where it lies. Two may share a place: the hash covers the shape as well.
CREATE TABLE stored_block (
    id INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    page INTEGER NOT NULL REFERENCES page ON DELETE CASCADE,
    row INTEGER NOT NULL,
    nbytes INTEGER NOT NULL
) STRICT;
CREATE INDEX stored_block_page ON stored_block (page);

-- The use of a stored block at one position, row-major, in a tensor's grid.
CREATE TABLE block (
    tensor INTEGER NOT NULL REFERENCES tensor ON DELETE CASCADE,
    number INTEGER NOT NULL,
    stored_block INTEGER NOT NULL REFERENCES stored_block,
    PRIMARY KEY (tensor, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX block_stored_block ON block (stored_block);

-- Consecutive blocks of a tensor that together fit one LIST column.
CREATE TABLE partition (
    tensor INTEGER NOT NULL REFERENCES tensor ON DELETE CASCADE,
    number INTEGER NOT NULL,
    first_block INTEGER NOT NULL,
    blocks INTEGER NOT NULL,
    PRIMARY KEY (tensor, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE user_table (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE COLLATE NOCASE,  -- as in SQL
    schema BLOB NOT NULL,      -- serialised Arrow schema
    created TEXT NOT NULL,     -- ISO 8601, UTC
    rows INTEGER NOT NULL
) STRICT;

CREATE TABLE user_table_part (
    user_table INTEGER NOT NULL REFERENCES user_table ON DELETE CASCADE,
    number INTEGER NOT NULL,
    file TEXT NOT NULL,        -- relative to the database folder, or absolute when external
    rows INTEGER NOT NULL,
    nbytes INTEGER NOT NULL,
    external INTEGER NOT NULL,
    PRIMARY KEY (user_table, number)
) STRICT, WITHOUT ROWID;

-- What schema version 4 made of version 3's file.
BEGIN TRANSACTION;
CREATE TABLE faces (
    face_id INTEGER PRIMARY KEY,
    subject_id INTEGER NOT NULL REFERENCES subjects ON DELETE CASCADE,
    photo ANY NOT NULL,                -- its path as it was given; bytes where the name is not UTF-8
    photo_sha256 TEXT NOT NULL,
    x0 REAL, y0 REAL, x1 REAL, y1 REAL,  -- of the box, in pixels of the upright photo; null for a ready crop
    landmarks BLOB,                    -- 10 float32, little endian: x, y of the five points; null for a ready crop
    score REAL,                        -- the detector's; null for a ready crop
    quality REAL                       -- in [0, 1]; null where it is not known
) STRICT;
INSERT INTO "faces" VALUES(1,1,'p1.png','p1.png',6.30592079162597656232e+01,2.67088851928710937491e+01,4.05637884140014648437e+00,1.63623595237731933593e+00,X'D0E8AA422C6B56422F5FED4157622742F66E33405EDD44419CC88442BE24804248B17342B2EF1742',4.5033937692642211914e-01,4.04551833868026733398e-01);
INSERT INTO "faces" VALUES(2,1,'p1.png','p1.png',NULL,NULL,NULL,NULL,NULL,NULL,1.98513045907020568847e-01);
INSERT INTO "faces" VALUES(3,3,'p3.png','p3.png',5.3818874359130859375e+01,92.5721664428711,8.0769500732421875e+01,2.71111518144607543945e-01,X'0C6440425C1EB042CCF0B842D9AF0D4268536242AAEBFE41C3576B4217D00542C5141B423A46B042',2.30642214417457580566e-01,9.07530486583709716796e-02);
CREATE TABLE history (
    entry_id INTEGER PRIMARY KEY AUTOINCREMENT,
    moment TEXT NOT NULL,              -- ISO 8601, UTC
    action TEXT NOT NULL CHECK (action IN ('use', 'drop')),  -- the gallery's model from now on; templates dropped
    model_id INTEGER NOT NULL REFERENCES models,
    file TEXT,                         -- of 'use': the model's name, or where its file lay
    n_templates INTEGER                -- of 'drop': how many
) STRICT;
INSERT INTO "history" VALUES(1,'2026-01-01T00:00:00Z','use',1,NULL,NULL);
INSERT INTO "history" VALUES(2,'2026-01-01T00:00:00Z','use',2,NULL,NULL);
CREATE TABLE index_settings (
    setting TEXT PRIMARY KEY,          -- a field of IndexSettings
    value REAL NOT NULL
) STRICT;
CREATE TABLE models (
    model_id INTEGER PRIMARY KEY AUTOINCREMENT,
    sha256 TEXT NOT NULL UNIQUE,
    label TEXT NOT NULL,
    spec TEXT NOT NULL                 -- the ModelSpec as JSON; its byte_scale stays as it was when the model came
) STRICT;
INSERT INTO "models" VALUES(1,'1111111111111111111111111111111111111111111111111111111111111111','space 1 (11111111)','{"name": "space", "version": "1", "task": "embedder", "input_hw": [8, 8], "input_layout": "NCHW", "colour": "RGB", "scaling": "fixed", "mean": 127.5, "std": 127.5, "alignment": "similarity", "crop_margin": 0.0, "dim": 8, "sha256": "1111111111111111111111111111111111111111111111111111111111111111", "distances": {"1e-2": 1.0, "1e-3": 0.5, "1e-4": null}, "calibration": "", "byte_scale": 120.0, "training_data": "", "licence": "", "compatible_with": {}, "notes": "", "options": {}}');
INSERT INTO "models" VALUES(2,'2222222222222222222222222222222222222222222222222222222222222222','space 2 (22222222)','{"name": "space", "version": "2", "task": "embedder", "input_hw": [8, 8], "input_layout": "NCHW", "colour": "RGB", "scaling": "fixed", "mean": 127.5, "std": 127.5, "alignment": "similarity", "crop_margin": 0.0, "dim": 8, "sha256": "2222222222222222222222222222222222222222222222222222222222222222", "distances": {"1e-2": 1.3, "1e-3": 0.9}, "calibration": "", "byte_scale": 90.0, "training_data": "", "licence": "", "compatible_with": {"1111111111111111111111111111111111111111111111111111111111111111": {"1e-2": 1.1, "1e-3": 0.7}}, "notes": "", "options": {}}');
CREATE TABLE removed_templates (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    template_id INTEGER NOT NULL,
    model_id INTEGER NOT NULL
) STRICT;
CREATE TABLE subjects (
    subject_id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE
, name_key TEXT NOT NULL DEFAULT '') STRICT;
INSERT INTO "subjects" VALUES(1,'Ann','ann');
INSERT INTO "subjects" VALUES(3,'Bob','bob');
INSERT INTO "subjects" VALUES(6,'ann','ann');
CREATE TABLE template_indexes (        -- the file of the index of a model's templates, beside this one
    model_id INTEGER PRIMARY KEY REFERENCES models,
    token TEXT NOT NULL,
    removed_to INTEGER NOT NULL,       -- the position up to which it knows what was removed
    built TEXT NOT NULL                -- ISO 8601, UTC
) STRICT;
CREATE TABLE templates (
    template_id INTEGER PRIMARY KEY AUTOINCREMENT,
    face_id INTEGER NOT NULL REFERENCES faces ON DELETE CASCADE,
    model_id INTEGER NOT NULL REFERENCES models,
    vector BLOB NOT NULL,              -- one signed byte a component
    quality REAL,                      -- in [0, 1]; null where it is not known
    UNIQUE (face_id, model_id)
) STRICT;
INSERT INTO "templates" VALUES(1,1,1,X'0CF63C3218AD021A',4.04551833868026733398e-01);
INSERT INTO "templates" VALUES(2,2,1,X'23EA40D2E9210246',1.98513045907020568847e-01);
INSERT INTO "templates" VALUES(3,3,1,X'09E0EDCAC01F1D40',9.07530486583709716796e-02);
INSERT INTO "templates" VALUES(5,1,2,X'E8F2122EFA3DE210',1.7565561830997467041e-01);
CREATE INDEX faces_of_subject ON faces (subject_id);
CREATE INDEX templates_of_model ON templates (model_id);
CREATE INDEX subjects_by_key ON subjects (name_key);
CREATE TRIGGER template_removed AFTER DELETE ON templates BEGIN
    INSERT INTO removed_templates (template_id, model_id) VALUES (old.template_id, old.model_id);
END;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('subjects',6);
INSERT INTO "sqlite_sequence" VALUES('models',2);
INSERT INTO "sqlite_sequence" VALUES('templates',5);
INSERT INTO "sqlite_sequence" VALUES('history',2);
COMMIT;
PRAGMA application_id = 1179077721;
PRAGMA user_version = 4;

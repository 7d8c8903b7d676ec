BEGIN TRANSACTION;
CREATE TABLE alembic_version (
	version_num VARCHAR(32) NOT NULL, 
	CONSTRAINT alembic_version_pkc PRIMARY KEY (version_num)
);
INSERT INTO "alembic_version" VALUES('v3.2.0.a');
CREATE TABLE studies (
	study_id INTEGER NOT NULL, 
	study_name VARCHAR(512) NOT NULL, 
	PRIMARY KEY (study_id)
);
INSERT INTO "studies" VALUES(1,'old');
CREATE TABLE study_directions (
	study_direction_id INTEGER NOT NULL, 
	direction VARCHAR(8) NOT NULL, 
	study_id INTEGER NOT NULL, 
	objective INTEGER NOT NULL, 
	PRIMARY KEY (study_direction_id), 
	UNIQUE (study_id, objective), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "study_directions" VALUES(1,'MAXIMIZE',1,0);
CREATE TABLE study_system_attributes (
	study_system_attribute_id INTEGER NOT NULL, 
	study_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (study_system_attribute_id), 
	UNIQUE (study_id, "key"), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
CREATE TABLE study_user_attributes (
	study_user_attribute_id INTEGER NOT NULL, 
	study_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (study_user_attribute_id), 
	UNIQUE (study_id, "key"), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "study_user_attributes" VALUES(1,1,'nas','{"space": "tiny", "space_digest": "492311d970e35f18", "dataset": "npz:few.npz", "dataset_fingerprint": "db147de1da98d748", "n_train": 2500, "n_validation": 500, "split_seed": 0, "epochs": 3, "budget": {"params": 900}, "minimize": null, "target": null}');
INSERT INTO "study_user_attributes" VALUES(2,1,'notes','[]');
INSERT INTO "study_user_attributes" VALUES(3,1,'options','{"budget": 900, "target": 0.999, "epochs": 3, "trials": 6, "space": "tiny", "dataset": "npz:few.npz", "sampler": "random", "pruner": "none", "workers": 1, "study": "old"}');
INSERT INTO "study_user_attributes" VALUES(4,1,'test_reading_00000','{"time": "2026-11-25T01:13:08+00:00", "reason": "confirm", "trial": 29, "seed": 1000000000, "network": "e8a2b3b500e358cd", "test_set": "5447ca6e5971f666", "n_images": 600, "accuracy": 0.35333333333333333, "confusion": [[43, 0, 0, 1, 13, 0, 0, 0, 0, 0], [0, 56, 0, 0, 9, 0, 0, 0, 0, 0], [24, 2, 1, 3, 14, 5, 7, 0, 0, 1], [3, 5, 0, 30, 3, 17, 1, 1, 0, 0], [8, 7, 0, 1, 41, 0, 8, 0, 0, 1], [2, 9, 1, 25, 0, 9, 0, 0, 0, 0], [6, 6, 0, 1, 35, 0, 5, 0, 0, 1], [6, 10, 1, 3, 6, 0, 0, 9, 0, 25], [18, 11, 0, 8, 22, 1, 7, 0, 0, 0], [11, 4, 1, 3, 26, 0, 4, 1, 0, 18]]}');
INSERT INTO "study_user_attributes" VALUES(5,1,'test_reading_00001','{"time": "2026-11-25T01:13:09+00:00", "reason": "confirm", "trial": 29, "seed": 1000000001, "network": "b3256ce166e07fa0", "test_set": "5447ca6e5971f666", "n_images": 600, "accuracy": 0.3016666666666667, "confusion": [[30, 9, 0, 3, 1, 0, 10, 3, 1, 0], [0, 65, 0, 0, 0, 0, 0, 0, 0, 0], [0, 3, 20, 0, 0, 0, 25, 9, 0, 0], [0, 8, 3, 10, 0, 0, 32, 7, 0, 0], [8, 47, 0, 1, 0, 0, 6, 4, 0, 0], [0, 9, 5, 1, 0, 0, 9, 22, 0, 0], [4, 22, 1, 0, 0, 0, 21, 6, 0, 0], [0, 19, 0, 0, 0, 0, 6, 35, 0, 0], [2, 38, 1, 6, 0, 0, 12, 8, 0, 0], [1, 35, 3, 0, 0, 0, 11, 17, 1, 0]]}');
INSERT INTO "study_user_attributes" VALUES(6,1,'confirmed_29','{"trial": 29, "classes": ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"], "n_train": 3000, "epochs": 3, "made_with": {"nas": "0.1.0", "revision": "60664e7", "torch": "2.13.0+cpu", "optuna": "5.0.0", "python": "3.11.7", "machine": "x86_64", "device": "cpu", "threads": 1, "precision": "bfloat16", "kernels": "numba"}, "history": [0.241, 0.311, 0.348], "target": 0.999, "networks": ["e8a2b3b500e358cd", "b3256ce166e07fa0"], "race": []}');
CREATE TABLE trial_heartbeats (
	trial_heartbeat_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	heartbeat DATETIME NOT NULL, 
	PRIMARY KEY (trial_heartbeat_id), 
	UNIQUE (trial_id), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
CREATE TABLE trial_intermediate_values (
	trial_intermediate_value_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	step INTEGER NOT NULL, 
	intermediate_value FLOAT, 
	intermediate_value_type VARCHAR(7) NOT NULL, 
	PRIMARY KEY (trial_intermediate_value_id), 
	UNIQUE (trial_id, step), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_intermediate_values" VALUES(1,30,1,0.17,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(2,30,2,0.264,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(3,30,3,0.288,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(4,39,1,0.1,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(5,40,1,0.114,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(6,41,1,0.108,'FINITE');
INSERT INTO "trial_intermediate_values" VALUES(7,42,1,0.112,'FINITE');
CREATE TABLE trial_params (
	param_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	param_name VARCHAR(512), 
	param_value FLOAT, 
	distribution_json TEXT, 
	PRIMARY KEY (param_id), 
	UNIQUE (trial_id, param_name), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_params" VALUES(1,1,'channels1',10.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(2,1,'channels2',14.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(3,1,'channels3',12.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(4,1,'lr',6.38055609204445789428e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.3, "log": true}}');
INSERT INTO "trial_params" VALUES(5,1,'batch_size',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [64, 128, 256]}}');
INSERT INTO "trial_params" VALUES(6,1,'rotation',9.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 0, "high": 10}}');
INSERT INTO "trial_params" VALUES(7,2,'channels1',16.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(8,2,'channels2',8.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(9,2,'channels3',14.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(10,2,'lr',6.04285157884506055059e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.3, "log": true}}');
INSERT INTO "trial_params" VALUES(11,2,'batch_size',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [64, 128, 256]}}');
INSERT INTO "trial_params" VALUES(12,2,'rotation',0.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 0, "high": 10}}');
INSERT INTO "trial_params" VALUES(13,3,'channels1',4.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(14,3,'channels2',14.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(15,3,'channels3',14.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(16,3,'lr',1.92802844100334630494e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.3, "log": true}}');
INSERT INTO "trial_params" VALUES(17,3,'batch_size',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [64, 128, 256]}}');
INSERT INTO "trial_params" VALUES(18,3,'rotation',8.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 0, "high": 10}}');
INSERT INTO "trial_params" VALUES(19,4,'channels1',4.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(20,4,'channels2',12.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(21,4,'channels3',6.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(22,4,'lr',2.4853670483449902262e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.3, "log": true}}');
INSERT INTO "trial_params" VALUES(23,4,'batch_size',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [64, 128, 256]}}');
INSERT INTO "trial_params" VALUES(24,4,'rotation',8.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 0, "high": 10}}');
INSERT INTO "trial_params" VALUES(25,5,'channels1',10.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(26,5,'channels2',10.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(27,5,'channels3',4.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(28,5,'lr',8.17189015696940107558e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.3, "log": true}}');
INSERT INTO "trial_params" VALUES(29,5,'batch_size',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [64, 128, 256]}}');
INSERT INTO "trial_params" VALUES(30,5,'rotation',7.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 0, "high": 10}}');
INSERT INTO "trial_params" VALUES(31,6,'channels1',8.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(32,6,'channels2',10.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(33,6,'channels3',12.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(34,6,'lr',1.22732710128440336561e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.3, "log": true}}');
INSERT INTO "trial_params" VALUES(35,6,'batch_size',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [64, 128, 256]}}');
INSERT INTO "trial_params" VALUES(36,6,'rotation',1.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 0, "high": 10}}');
INSERT INTO "trial_params" VALUES(37,7,'channels1',8.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(38,7,'channels2',8.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(39,7,'channels3',10.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(40,7,'lr',4.44495755140940848604e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.3, "log": true}}');
INSERT INTO "trial_params" VALUES(41,7,'batch_size',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [64, 128, 256]}}');
INSERT INTO "trial_params" VALUES(42,7,'rotation',1.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 0, "high": 10}}');
INSERT INTO "trial_params" VALUES(43,8,'channels1',12.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(44,8,'channels2',6.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(45,8,'channels3',10.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(46,8,'lr',2.29639312049130517312e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.3, "log": true}}');
INSERT INTO "trial_params" VALUES(47,8,'batch_size',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [64, 128, 256]}}');
INSERT INTO "trial_params" VALUES(48,8,'rotation',1.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 0, "high": 10}}');
INSERT INTO "trial_params" VALUES(49,9,'channels1',6.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(50,9,'channels2',8.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(51,9,'channels3',14.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(52,9,'lr',1.39133066892770315692e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.3, "log": true}}');
INSERT INTO "trial_params" VALUES(53,9,'batch_size',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [64, 128, 256]}}');
INSERT INTO "trial_params" VALUES(54,9,'rotation',5.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 0, "high": 10}}');
INSERT INTO "trial_params" VALUES(55,10,'channels1',16.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(56,10,'channels2',12.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(57,10,'channels3',14.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(58,10,'lr',1.14257606175275708282e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.3, "log": true}}');
INSERT INTO "trial_params" VALUES(59,10,'batch_size',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [64, 128, 256]}}');
INSERT INTO "trial_params" VALUES(60,10,'rotation',1.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 0, "high": 10}}');
INSERT INTO "trial_params" VALUES(61,11,'channels1',8.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(62,11,'channels2',8.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(63,11,'channels3',4.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(64,11,'lr',1.0540598859361227646e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.3, "log": true}}');
INSERT INTO "trial_params" VALUES(65,11,'batch_size',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [64, 128, 256]}}');
INSERT INTO "trial_params" VALUES(66,11,'rotation',1.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 0, "high": 10}}');
INSERT INTO "trial_params" VALUES(67,12,'channels1',12.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(68,12,'channels2',16.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(69,12,'channels3',8.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(70,12,'lr',9.67934696603766631106e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.3, "log": true}}');
INSERT INTO "trial_params" VALUES(71,12,'batch_size',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [64, 128, 256]}}');
INSERT INTO "trial_params" VALUES(72,12,'rotation',2.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 0, "high": 10}}');
INSERT INTO "trial_params" VALUES(73,13,'channels1',12.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(74,13,'channels2',4.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(75,13,'channels3',14.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(76,13,'lr',1.01609844721957092578e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.3, "log": true}}');
INSERT INTO "trial_params" VALUES(77,13,'batch_size',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [64, 128, 256]}}');
INSERT INTO "trial_params" VALUES(78,13,'rotation',10.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 0, "high": 10}}');
INSERT INTO "trial_params" VALUES(79,14,'channels1',6.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(80,14,'channels2',12.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(81,14,'channels3',12.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(82,14,'lr',7.00302139387355415678e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.3, "log": true}}');
INSERT INTO "trial_params" VALUES(83,14,'batch_size',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [64, 128, 256]}}');
INSERT INTO "trial_params" VALUES(84,14,'rotation',9.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 0, "high": 10}}');
INSERT INTO "trial_params" VALUES(85,15,'channels1',12.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(86,15,'channels2',8.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(87,15,'channels3',14.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(88,15,'lr',0.0385200690913405,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.3, "log": true}}');
INSERT INTO "trial_params" VALUES(89,15,'batch_size',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [64, 128, 256]}}');
INSERT INTO "trial_params" VALUES(90,15,'rotation',7.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 0, "high": 10}}');
INSERT INTO "trial_params" VALUES(91,16,'channels1',14.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(92,16,'channels2',10.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(93,16,'channels3',16.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(94,16,'lr',8.93823175573330158671e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.3, "log": true}}');
INSERT INTO "trial_params" VALUES(95,16,'batch_size',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [64, 128, 256]}}');
INSERT INTO "trial_params" VALUES(96,16,'rotation',3.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 0, "high": 10}}');
INSERT INTO "trial_params" VALUES(97,17,'channels1',12.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(98,17,'channels2',8.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(99,17,'channels3',12.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(100,17,'lr',4.29876160763404749354e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.3, "log": true}}');
INSERT INTO "trial_params" VALUES(101,17,'batch_size',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [64, 128, 256]}}');
INSERT INTO "trial_params" VALUES(102,17,'rotation',6.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 0, "high": 10}}');
INSERT INTO "trial_params" VALUES(103,18,'channels1',12.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(104,18,'channels2',12.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(105,18,'channels3',12.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(106,18,'lr',4.3376783084257262979e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.3, "log": true}}');
INSERT INTO "trial_params" VALUES(107,18,'batch_size',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [64, 128, 256]}}');
INSERT INTO "trial_params" VALUES(108,18,'rotation',9.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 0, "high": 10}}');
INSERT INTO "trial_params" VALUES(109,19,'channels1',14.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(110,19,'channels2',12.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(111,19,'channels3',4.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(112,19,'lr',2.28132580037483490009e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.3, "log": true}}');
INSERT INTO "trial_params" VALUES(113,19,'batch_size',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [64, 128, 256]}}');
INSERT INTO "trial_params" VALUES(114,19,'rotation',9.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 0, "high": 10}}');
INSERT INTO "trial_params" VALUES(115,20,'channels1',6.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(116,20,'channels2',12.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(117,20,'channels3',4.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(118,20,'lr',1.78900263283408827996e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.3, "log": true}}');
INSERT INTO "trial_params" VALUES(119,20,'batch_size',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [64, 128, 256]}}');
INSERT INTO "trial_params" VALUES(120,20,'rotation',0.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 0, "high": 10}}');
INSERT INTO "trial_params" VALUES(121,21,'channels1',12.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(122,21,'channels2',10.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(123,21,'channels3',14.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(124,21,'lr',1.90437182867540355513e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.3, "log": true}}');
INSERT INTO "trial_params" VALUES(125,21,'batch_size',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [64, 128, 256]}}');
INSERT INTO "trial_params" VALUES(126,21,'rotation',3.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 0, "high": 10}}');
INSERT INTO "trial_params" VALUES(127,22,'channels1',14.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(128,22,'channels2',6.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(129,22,'channels3',10.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(130,22,'lr',1.20299493137675309051e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.3, "log": true}}');
INSERT INTO "trial_params" VALUES(131,22,'batch_size',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [64, 128, 256]}}');
INSERT INTO "trial_params" VALUES(132,22,'rotation',2.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 0, "high": 10}}');
INSERT INTO "trial_params" VALUES(133,23,'channels1',8.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(134,23,'channels2',16.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(135,23,'channels3',12.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(136,23,'lr',1.11437140516749220303e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.3, "log": true}}');
INSERT INTO "trial_params" VALUES(137,23,'batch_size',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [64, 128, 256]}}');
INSERT INTO "trial_params" VALUES(138,23,'rotation',2.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 0, "high": 10}}');
INSERT INTO "trial_params" VALUES(139,24,'channels1',16.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(140,24,'channels2',12.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(141,24,'channels3',10.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(142,24,'lr',7.43649969467988919413e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.3, "log": true}}');
INSERT INTO "trial_params" VALUES(143,24,'batch_size',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [64, 128, 256]}}');
INSERT INTO "trial_params" VALUES(144,24,'rotation',2.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 0, "high": 10}}');
INSERT INTO "trial_params" VALUES(145,25,'channels1',6.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(146,25,'channels2',16.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(147,25,'channels3',14.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(148,25,'lr',5.30233460820051100137e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.3, "log": true}}');
INSERT INTO "trial_params" VALUES(149,25,'batch_size',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [64, 128, 256]}}');
INSERT INTO "trial_params" VALUES(150,25,'rotation',4.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 0, "high": 10}}');
INSERT INTO "trial_params" VALUES(151,26,'channels1',8.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(152,26,'channels2',12.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(153,26,'channels3',8.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(154,26,'lr',1.84202877230083134074e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.3, "log": true}}');
INSERT INTO "trial_params" VALUES(155,26,'batch_size',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [64, 128, 256]}}');
INSERT INTO "trial_params" VALUES(156,26,'rotation',4.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 0, "high": 10}}');
INSERT INTO "trial_params" VALUES(157,27,'channels1',10.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(158,27,'channels2',16.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(159,27,'channels3',16.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(160,27,'lr',2.0911401748414590318e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.3, "log": true}}');
INSERT INTO "trial_params" VALUES(161,27,'batch_size',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [64, 128, 256]}}');
INSERT INTO "trial_params" VALUES(162,27,'rotation',8.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 0, "high": 10}}');
INSERT INTO "trial_params" VALUES(163,28,'channels1',8.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(164,28,'channels2',8.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(165,28,'channels3',12.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(166,28,'lr',1.68872657162273648312e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.3, "log": true}}');
INSERT INTO "trial_params" VALUES(167,28,'batch_size',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [64, 128, 256]}}');
INSERT INTO "trial_params" VALUES(168,28,'rotation',8.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 0, "high": 10}}');
INSERT INTO "trial_params" VALUES(169,29,'channels1',6.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(170,29,'channels2',16.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(171,29,'channels3',12.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(172,29,'lr',2.08128220214022878475e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.3, "log": true}}');
INSERT INTO "trial_params" VALUES(173,29,'batch_size',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [64, 128, 256]}}');
INSERT INTO "trial_params" VALUES(174,29,'rotation',2.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 0, "high": 10}}');
INSERT INTO "trial_params" VALUES(175,30,'channels1',10.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(176,30,'channels2',4.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(177,30,'channels3',6.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(178,30,'lr',4.23947357352230172478e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.3, "log": true}}');
INSERT INTO "trial_params" VALUES(179,30,'batch_size',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [64, 128, 256]}}');
INSERT INTO "trial_params" VALUES(180,30,'rotation',6.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 0, "high": 10}}');
INSERT INTO "trial_params" VALUES(181,31,'channels1',16.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(182,31,'channels2',4.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(183,31,'channels3',10.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(184,31,'lr',1.56704189293907850122e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.3, "log": true}}');
INSERT INTO "trial_params" VALUES(185,31,'batch_size',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [64, 128, 256]}}');
INSERT INTO "trial_params" VALUES(186,31,'rotation',2.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 0, "high": 10}}');
INSERT INTO "trial_params" VALUES(187,32,'channels1',6.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(188,32,'channels2',10.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(189,32,'channels3',8.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(190,32,'lr',2.44980781061136160259e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.3, "log": true}}');
INSERT INTO "trial_params" VALUES(191,32,'batch_size',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [64, 128, 256]}}');
INSERT INTO "trial_params" VALUES(192,32,'rotation',0.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 0, "high": 10}}');
INSERT INTO "trial_params" VALUES(193,33,'channels1',10.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(194,33,'channels2',12.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(195,33,'channels3',16.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(196,33,'lr',2.70107921710364094758e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.3, "log": true}}');
INSERT INTO "trial_params" VALUES(197,33,'batch_size',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [64, 128, 256]}}');
INSERT INTO "trial_params" VALUES(198,33,'rotation',10.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 0, "high": 10}}');
INSERT INTO "trial_params" VALUES(199,34,'channels1',12.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(200,34,'channels2',14.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(201,34,'channels3',6.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(202,34,'lr',0.0734850375544014,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.3, "log": true}}');
INSERT INTO "trial_params" VALUES(203,34,'batch_size',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [64, 128, 256]}}');
INSERT INTO "trial_params" VALUES(204,34,'rotation',9.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 0, "high": 10}}');
INSERT INTO "trial_params" VALUES(205,35,'channels1',8.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(206,35,'channels2',16.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(207,35,'channels3',6.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(208,35,'lr',2.5249862070773271272e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.3, "log": true}}');
INSERT INTO "trial_params" VALUES(209,35,'batch_size',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [64, 128, 256]}}');
INSERT INTO "trial_params" VALUES(210,35,'rotation',9.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 0, "high": 10}}');
INSERT INTO "trial_params" VALUES(211,36,'channels1',8.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(212,36,'channels2',14.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(213,36,'channels3',12.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(214,36,'lr',1.04605000031745901112e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.3, "log": true}}');
INSERT INTO "trial_params" VALUES(215,36,'batch_size',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [64, 128, 256]}}');
INSERT INTO "trial_params" VALUES(216,36,'rotation',5.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 0, "high": 10}}');
INSERT INTO "trial_params" VALUES(217,37,'channels1',10.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(218,37,'channels2',12.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(219,37,'channels3',8.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(220,37,'lr',1.59300926280896079645e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.3, "log": true}}');
INSERT INTO "trial_params" VALUES(221,37,'batch_size',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [64, 128, 256]}}');
INSERT INTO "trial_params" VALUES(222,37,'rotation',2.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 0, "high": 10}}');
INSERT INTO "trial_params" VALUES(223,38,'channels1',4.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(224,38,'channels2',16.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(225,38,'channels3',16.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(226,38,'lr',2.6258462635958140785e-01,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.3, "log": true}}');
INSERT INTO "trial_params" VALUES(227,38,'batch_size',0.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [64, 128, 256]}}');
INSERT INTO "trial_params" VALUES(228,38,'rotation',0.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 0, "high": 10}}');
INSERT INTO "trial_params" VALUES(229,39,'channels1',8.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(230,39,'channels2',6.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(231,39,'channels3',4.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(232,39,'lr',1.19927402050198812777e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.3, "log": true}}');
INSERT INTO "trial_params" VALUES(233,39,'batch_size',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [64, 128, 256]}}');
INSERT INTO "trial_params" VALUES(234,39,'rotation',1.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 0, "high": 10}}');
INSERT INTO "trial_params" VALUES(235,40,'channels1',4.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(236,40,'channels2',4.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(237,40,'channels3',12.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(238,40,'lr',2.30375940322484935862e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.3, "log": true}}');
INSERT INTO "trial_params" VALUES(239,40,'batch_size',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [64, 128, 256]}}');
INSERT INTO "trial_params" VALUES(240,40,'rotation',7.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 0, "high": 10}}');
INSERT INTO "trial_params" VALUES(241,41,'channels1',6.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(242,41,'channels2',4.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(243,41,'channels3',4.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(244,41,'lr',0.0278931622711575,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.3, "log": true}}');
INSERT INTO "trial_params" VALUES(245,41,'batch_size',2.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [64, 128, 256]}}');
INSERT INTO "trial_params" VALUES(246,41,'rotation',7.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 0, "high": 10}}');
INSERT INTO "trial_params" VALUES(247,42,'channels1',6.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(248,42,'channels2',4.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(249,42,'channels3',12.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 2, "low": 4, "high": 16}}');
INSERT INTO "trial_params" VALUES(250,42,'lr',1.15933701247556281144e-02,'{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.01, "high": 0.3, "log": true}}');
INSERT INTO "trial_params" VALUES(251,42,'batch_size',1.0,'{"name": "CategoricalDistribution", "attributes": {"choices": [64, 128, 256]}}');
INSERT INTO "trial_params" VALUES(252,42,'rotation',7.0,'{"name": "IntDistribution", "attributes": {"log": false, "step": 1, "low": 0, "high": 10}}');
CREATE TABLE trial_system_attributes (
	trial_system_attribute_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (trial_system_attribute_id), 
	UNIQUE (trial_id, "key"), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_system_attributes" VALUES(1,1,'constraints:params','2.4044444444444446');
INSERT INTO "trial_system_attributes" VALUES(2,2,'constraints:params','1.811111111111111');
INSERT INTO "trial_system_attributes" VALUES(3,3,'constraints:params','1.7977777777777777');
INSERT INTO "trial_system_attributes" VALUES(4,4,'constraints:params','0.3666666666666667');
INSERT INTO "trial_system_attributes" VALUES(5,5,'constraints:params','0.6088888888888888');
INSERT INTO "trial_system_attributes" VALUES(6,6,'constraints:params','1.2911111111111113');
INSERT INTO "trial_system_attributes" VALUES(7,7,'constraints:params','0.7');
INSERT INTO "trial_system_attributes" VALUES(8,8,'constraints:params','0.6244444444444444');
INSERT INTO "trial_system_attributes" VALUES(9,9,'constraints:params','0.8888888888888888');
INSERT INTO "trial_system_attributes" VALUES(10,10,'constraints:params','3.0199999999999996');
INSERT INTO "trial_system_attributes" VALUES(11,11,'constraints:params','0.1399999999999999');
INSERT INTO "trial_system_attributes" VALUES(12,12,'constraints:params','2.5');
INSERT INTO "trial_system_attributes" VALUES(13,13,'constraints:params','0.3933333333333333');
INSERT INTO "trial_system_attributes" VALUES(14,14,'constraints:params','1.431111111111111');
INSERT INTO "trial_system_attributes" VALUES(15,15,'constraints:params','1.442222222222222');
INSERT INTO "trial_system_attributes" VALUES(16,16,'constraints:params','2.417777777777778');
INSERT INTO "trial_system_attributes" VALUES(17,17,'constraints:params','1.2555555555555555');
INSERT INTO "trial_system_attributes" VALUES(18,18,'constraints:params','2.2244444444444444');
INSERT INTO "trial_system_attributes" VALUES(19,19,'constraints:params','1.422222222222222');
INSERT INTO "trial_system_attributes" VALUES(20,20,'constraints:params','0.36444444444444435');
INSERT INTO "trial_system_attributes" VALUES(21,21,'constraints:params','1.9666666666666668');
INSERT INTO "trial_system_attributes" VALUES(22,22,'constraints:params','0.768888888888889');
INSERT INTO "trial_system_attributes" VALUES(23,23,'constraints:params','2.5044444444444443');
INSERT INTO "trial_system_attributes" VALUES(24,24,'constraints:params','2.486666666666667');
INSERT INTO "trial_system_attributes" VALUES(25,25,'constraints:params','2.506666666666667');
INSERT INTO "trial_system_attributes" VALUES(26,26,'constraints:params','1.1622222222222223');
INSERT INTO "trial_system_attributes" VALUES(27,27,'constraints:params','3.5422222222222226');
INSERT INTO "trial_system_attributes" VALUES(28,28,'constraints:params','0.8866666666666667');
INSERT INTO "trial_system_attributes" VALUES(29,29,'constraints:params','2.16');
INSERT INTO "trial_system_attributes" VALUES(30,30,'constraints:params','-0.13777777777777778');
INSERT INTO "trial_system_attributes" VALUES(31,31,'constraints:params','0.38888888888888884');
INSERT INTO "trial_system_attributes" VALUES(32,32,'constraints:params','0.6133333333333333');
INSERT INTO "trial_system_attributes" VALUES(33,33,'constraints:params','2.493333333333333');
INSERT INTO "trial_system_attributes" VALUES(34,34,'constraints:params','1.7888888888888888');
INSERT INTO "trial_system_attributes" VALUES(35,35,'constraints:params','1.4644444444444447');
INSERT INTO "trial_system_attributes" VALUES(36,36,'constraints:params','2.1');
INSERT INTO "trial_system_attributes" VALUES(37,37,'constraints:params','1.4266666666666667');
INSERT INTO "trial_system_attributes" VALUES(38,38,'constraints:params','2.508888888888889');
INSERT INTO "trial_system_attributes" VALUES(39,39,'constraints:params','-0.10444444444444445');
INSERT INTO "trial_system_attributes" VALUES(40,40,'constraints:params','-0.13111111111111107');
INSERT INTO "trial_system_attributes" VALUES(41,41,'constraints:params','-0.45333333333333337');
INSERT INTO "trial_system_attributes" VALUES(42,42,'constraints:params','-0.026666666666666616');
CREATE TABLE trial_user_attributes (
	trial_user_attribute_id INTEGER NOT NULL, 
	trial_id INTEGER, 
	"key" VARCHAR(512), 
	value_json TEXT, 
	PRIMARY KEY (trial_user_attribute_id), 
	UNIQUE (trial_id, "key"), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_user_attributes" VALUES(1,1,'params','3064');
INSERT INTO "trial_user_attributes" VALUES(2,1,'macs','391728');
INSERT INTO "trial_user_attributes" VALUES(3,1,'memory','39200');
INSERT INTO "trial_user_attributes" VALUES(4,1,'bytes','12544');
INSERT INTO "trial_user_attributes" VALUES(5,1,'outcome','"rejected"');
INSERT INTO "trial_user_attributes" VALUES(6,1,'reason','"over the budget of 900 parameters"');
INSERT INTO "trial_user_attributes" VALUES(7,2,'params','2530');
INSERT INTO "trial_user_attributes" VALUES(8,2,'macs','388220');
INSERT INTO "trial_user_attributes" VALUES(9,2,'memory','62720');
INSERT INTO "trial_user_attributes" VALUES(10,2,'bytes','10424');
INSERT INTO "trial_user_attributes" VALUES(11,2,'outcome','"rejected"');
INSERT INTO "trial_user_attributes" VALUES(12,2,'reason','"over the budget of 900 parameters"');
INSERT INTO "trial_user_attributes" VALUES(13,3,'params','2518');
INSERT INTO "trial_user_attributes" VALUES(14,3,'macs','213584');
INSERT INTO "trial_user_attributes" VALUES(15,3,'memory','15680');
INSERT INTO "trial_user_attributes" VALUES(16,3,'bytes','10328');
INSERT INTO "trial_user_attributes" VALUES(17,3,'outcome','"rejected"');
INSERT INTO "trial_user_attributes" VALUES(18,3,'reason','"over the budget of 900 parameters"');
INSERT INTO "trial_user_attributes" VALUES(19,4,'params','1230');
INSERT INTO "trial_user_attributes" VALUES(20,4,'macs','144708');
INSERT INTO "trial_user_attributes" VALUES(21,4,'memory','15680');
INSERT INTO "trial_user_attributes" VALUES(22,4,'bytes','5096');
INSERT INTO "trial_user_attributes" VALUES(23,4,'outcome','"rejected"');
INSERT INTO "trial_user_attributes" VALUES(24,4,'reason','"over the budget of 900 parameters"');
INSERT INTO "trial_user_attributes" VALUES(25,5,'params','1448');
INSERT INTO "trial_user_attributes" VALUES(26,5,'macs','264640');
INSERT INTO "trial_user_attributes" VALUES(27,5,'memory','39200');
INSERT INTO "trial_user_attributes" VALUES(28,5,'bytes','5984');
INSERT INTO "trial_user_attributes" VALUES(29,5,'outcome','"rejected"');
INSERT INTO "trial_user_attributes" VALUES(30,5,'reason','"over the budget of 900 parameters"');
INSERT INTO "trial_user_attributes" VALUES(31,6,'params','2062');
INSERT INTO "trial_user_attributes" VALUES(32,6,'macs','250608');
INSERT INTO "trial_user_attributes" VALUES(33,6,'memory','31360');
INSERT INTO "trial_user_attributes" VALUES(34,6,'bytes','8488');
INSERT INTO "trial_user_attributes" VALUES(35,6,'outcome','"rejected"');
INSERT INTO "trial_user_attributes" VALUES(36,6,'reason','"over the budget of 900 parameters"');
INSERT INTO "trial_user_attributes" VALUES(37,7,'params','1530');
INSERT INTO "trial_user_attributes" VALUES(38,7,'macs','204724');
INSERT INTO "trial_user_attributes" VALUES(39,7,'memory','31360');
INSERT INTO "trial_user_attributes" VALUES(40,7,'bytes','6328');
INSERT INTO "trial_user_attributes" VALUES(41,7,'outcome','"rejected"');
INSERT INTO "trial_user_attributes" VALUES(42,7,'reason','"over the budget of 900 parameters"');
INSERT INTO "trial_user_attributes" VALUES(43,8,'params','1462');
INSERT INTO "trial_user_attributes" VALUES(44,8,'macs','238240');
INSERT INTO "trial_user_attributes" VALUES(45,8,'memory','47040');
INSERT INTO "trial_user_attributes" VALUES(46,8,'bytes','6072');
INSERT INTO "trial_user_attributes" VALUES(47,8,'outcome','"rejected"');
INSERT INTO "trial_user_attributes" VALUES(48,8,'reason','"over the budget of 900 parameters"');
INSERT INTO "trial_user_attributes" VALUES(49,9,'params','1700');
INSERT INTO "trial_user_attributes" VALUES(50,9,'macs','176540');
INSERT INTO "trial_user_attributes" VALUES(51,9,'memory','23520');
INSERT INTO "trial_user_attributes" VALUES(52,9,'bytes','7024');
INSERT INTO "trial_user_attributes" VALUES(53,9,'outcome','"rejected"');
INSERT INTO "trial_user_attributes" VALUES(54,9,'reason','"over the budget of 900 parameters"');
INSERT INTO "trial_user_attributes" VALUES(55,10,'params','3618');
INSERT INTO "trial_user_attributes" VALUES(56,10,'macs','525812');
INSERT INTO "trial_user_attributes" VALUES(57,10,'memory','62720');
INSERT INTO "trial_user_attributes" VALUES(58,10,'bytes','14808');
INSERT INTO "trial_user_attributes" VALUES(59,10,'outcome','"rejected"');
INSERT INTO "trial_user_attributes" VALUES(60,10,'reason','"over the budget of 900 parameters"');
INSERT INTO "trial_user_attributes" VALUES(61,11,'params','1026');
INSERT INTO "trial_user_attributes" VALUES(62,11,'macs','183496');
INSERT INTO "trial_user_attributes" VALUES(63,11,'memory','31360');
INSERT INTO "trial_user_attributes" VALUES(64,11,'bytes','4264');
INSERT INTO "trial_user_attributes" VALUES(65,11,'outcome','"rejected"');
INSERT INTO "trial_user_attributes" VALUES(66,11,'reason','"over the budget of 900 parameters"');
INSERT INTO "trial_user_attributes" VALUES(67,12,'params','3150');
INSERT INTO "trial_user_attributes" VALUES(68,12,'macs','479888');
INSERT INTO "trial_user_attributes" VALUES(69,12,'memory','47040');
INSERT INTO "trial_user_attributes" VALUES(70,12,'bytes','12888');
INSERT INTO "trial_user_attributes" VALUES(71,12,'outcome','"rejected"');
INSERT INTO "trial_user_attributes" VALUES(72,12,'reason','"over the budget of 900 parameters"');
INSERT INTO "trial_user_attributes" VALUES(73,13,'params','1254');
INSERT INTO "trial_user_attributes" VALUES(74,13,'macs','194180');
INSERT INTO "trial_user_attributes" VALUES(75,13,'memory','47040');
INSERT INTO "trial_user_attributes" VALUES(76,13,'bytes','5256');
INSERT INTO "trial_user_attributes" VALUES(77,13,'outcome','"rejected"');
INSERT INTO "trial_user_attributes" VALUES(78,13,'reason','"over the budget of 900 parameters"');
INSERT INTO "trial_user_attributes" VALUES(79,14,'params','2188');
INSERT INTO "trial_user_attributes" VALUES(80,14,'macs','232968');
INSERT INTO "trial_user_attributes" VALUES(81,14,'memory','23520');
INSERT INTO "trial_user_attributes" VALUES(82,14,'bytes','8992');
INSERT INTO "trial_user_attributes" VALUES(83,14,'outcome','"rejected"');
INSERT INTO "trial_user_attributes" VALUES(84,14,'reason','"over the budget of 900 parameters"');
INSERT INTO "trial_user_attributes" VALUES(85,15,'params','2198');
INSERT INTO "trial_user_attributes" VALUES(86,15,'macs','303548');
INSERT INTO "trial_user_attributes" VALUES(87,15,'memory','47040');
INSERT INTO "trial_user_attributes" VALUES(88,15,'bytes','9064');
INSERT INTO "trial_user_attributes" VALUES(89,15,'outcome','"rejected"');
INSERT INTO "trial_user_attributes" VALUES(90,15,'reason','"over the budget of 900 parameters"');
INSERT INTO "trial_user_attributes" VALUES(91,16,'params','3076');
INSERT INTO "trial_user_attributes" VALUES(92,16,'macs','416464');
INSERT INTO "trial_user_attributes" VALUES(93,16,'memory','54880');
INSERT INTO "trial_user_attributes" VALUES(94,16,'bytes','12624');
INSERT INTO "trial_user_attributes" VALUES(95,16,'outcome','"rejected"');
INSERT INTO "trial_user_attributes" VALUES(96,16,'reason','"over the budget of 900 parameters"');
INSERT INTO "trial_user_attributes" VALUES(97,17,'params','2030');
INSERT INTO "trial_user_attributes" VALUES(98,17,'macs','296472');
INSERT INTO "trial_user_attributes" VALUES(99,17,'memory','47040');
INSERT INTO "trial_user_attributes" VALUES(100,17,'bytes','8376');
INSERT INTO "trial_user_attributes" VALUES(101,17,'outcome','"rejected"');
INSERT INTO "trial_user_attributes" VALUES(102,17,'reason','"over the budget of 900 parameters"');
INSERT INTO "trial_user_attributes" VALUES(103,18,'params','2902');
INSERT INTO "trial_user_attributes" VALUES(104,18,'macs','402312');
INSERT INTO "trial_user_attributes" VALUES(105,18,'memory','47040');
INSERT INTO "trial_user_attributes" VALUES(106,18,'bytes','11896');
INSERT INTO "trial_user_attributes" VALUES(107,18,'outcome','"rejected"');
INSERT INTO "trial_user_attributes" VALUES(108,18,'reason','"over the budget of 900 parameters"');
INSERT INTO "trial_user_attributes" VALUES(109,19,'params','2180');
INSERT INTO "trial_user_attributes" VALUES(110,19,'macs','416344');
INSERT INTO "trial_user_attributes" VALUES(111,19,'memory','54880');
INSERT INTO "trial_user_attributes" VALUES(112,19,'bytes','8960');
INSERT INTO "trial_user_attributes" VALUES(113,19,'outcome','"rejected"');
INSERT INTO "trial_user_attributes" VALUES(114,19,'reason','"over the budget of 900 parameters"');
INSERT INTO "trial_user_attributes" VALUES(115,20,'params','1228');
INSERT INTO "trial_user_attributes" VALUES(116,20,'macs','190552');
INSERT INTO "trial_user_attributes" VALUES(117,20,'memory','23520');
INSERT INTO "trial_user_attributes" VALUES(118,20,'bytes','5088');
INSERT INTO "trial_user_attributes" VALUES(119,20,'outcome','"rejected"');
INSERT INTO "trial_user_attributes" VALUES(120,20,'reason','"over the budget of 900 parameters"');
INSERT INTO "trial_user_attributes" VALUES(121,21,'params','2670');
INSERT INTO "trial_user_attributes" VALUES(122,21,'macs','358232');
INSERT INTO "trial_user_attributes" VALUES(123,21,'memory','47040');
INSERT INTO "trial_user_attributes" VALUES(124,21,'bytes','10968');
INSERT INTO "trial_user_attributes" VALUES(125,21,'outcome','"rejected"');
INSERT INTO "trial_user_attributes" VALUES(126,21,'reason','"over the budget of 900 parameters"');
INSERT INTO "trial_user_attributes" VALUES(127,22,'params','1592');
INSERT INTO "trial_user_attributes" VALUES(128,22,'macs','273520');
INSERT INTO "trial_user_attributes" VALUES(129,22,'memory','54880');
INSERT INTO "trial_user_attributes" VALUES(130,22,'bytes','6608');
INSERT INTO "trial_user_attributes" VALUES(131,22,'outcome','"rejected"');
INSERT INTO "trial_user_attributes" VALUES(132,22,'reason','"over the budget of 900 parameters"');
INSERT INTO "trial_user_attributes" VALUES(133,23,'params','3154');
INSERT INTO "trial_user_attributes" VALUES(134,23,'macs','367032');
INSERT INTO "trial_user_attributes" VALUES(135,23,'memory','31360');
INSERT INTO "trial_user_attributes" VALUES(136,23,'bytes','12904');
INSERT INTO "trial_user_attributes" VALUES(137,23,'outcome','"rejected"');
INSERT INTO "trial_user_attributes" VALUES(138,23,'reason','"over the budget of 900 parameters"');
INSERT INTO "trial_user_attributes" VALUES(139,24,'params','3138');
INSERT INTO "trial_user_attributes" VALUES(140,24,'macs','504604');
INSERT INTO "trial_user_attributes" VALUES(141,24,'memory','62720');
INSERT INTO "trial_user_attributes" VALUES(142,24,'bytes','12856');
INSERT INTO "trial_user_attributes" VALUES(143,24,'outcome','"rejected"');
INSERT INTO "trial_user_attributes" VALUES(144,24,'reason','"over the budget of 900 parameters"');
INSERT INTO "trial_user_attributes" VALUES(145,25,'params','3156');
INSERT INTO "trial_user_attributes" VALUES(146,25,'macs','310604');
INSERT INTO "trial_user_attributes" VALUES(147,25,'memory','23520');
INSERT INTO "trial_user_attributes" VALUES(148,25,'bytes','12912');
INSERT INTO "trial_user_attributes" VALUES(149,25,'outcome','"rejected"');
INSERT INTO "trial_user_attributes" VALUES(150,25,'reason','"over the budget of 900 parameters"');
INSERT INTO "trial_user_attributes" VALUES(151,26,'params','1946');
INSERT INTO "trial_user_attributes" VALUES(152,26,'macs','268208');
INSERT INTO "trial_user_attributes" VALUES(153,26,'memory','31360');
INSERT INTO "trial_user_attributes" VALUES(154,26,'bytes','8008');
INSERT INTO "trial_user_attributes" VALUES(155,26,'outcome','"rejected"');
INSERT INTO "trial_user_attributes" VALUES(156,26,'reason','"over the budget of 900 parameters"');
INSERT INTO "trial_user_attributes" VALUES(157,27,'params','4088');
INSERT INTO "trial_user_attributes" VALUES(158,27,'macs','465856');
INSERT INTO "trial_user_attributes" VALUES(159,27,'memory','39200');
INSERT INTO "trial_user_attributes" VALUES(160,27,'bytes','16688');
INSERT INTO "trial_user_attributes" VALUES(161,27,'outcome','"rejected"');
INSERT INTO "trial_user_attributes" VALUES(162,27,'reason','"over the budget of 900 parameters"');
INSERT INTO "trial_user_attributes" VALUES(163,28,'params','1698');
INSERT INTO "trial_user_attributes" VALUES(164,28,'macs','211800');
INSERT INTO "trial_user_attributes" VALUES(165,28,'memory','31360');
INSERT INTO "trial_user_attributes" VALUES(166,28,'bytes','7016');
INSERT INTO "trial_user_attributes" VALUES(167,28,'outcome','"rejected"');
INSERT INTO "trial_user_attributes" VALUES(168,28,'reason','"over the budget of 900 parameters"');
INSERT INTO "trial_user_attributes" VALUES(169,29,'params','2844');
INSERT INTO "trial_user_attributes" VALUES(170,29,'macs','296472');
INSERT INTO "trial_user_attributes" VALUES(171,29,'memory','23520');
INSERT INTO "trial_user_attributes" VALUES(172,29,'bytes','11648');
INSERT INTO "trial_user_attributes" VALUES(173,29,'outcome','"rejected"');
INSERT INTO "trial_user_attributes" VALUES(174,29,'reason','"over the budget of 900 parameters"');
INSERT INTO "trial_user_attributes" VALUES(175,30,'params','776');
INSERT INTO "trial_user_attributes" VALUES(176,30,'macs','151764');
INSERT INTO "trial_user_attributes" VALUES(177,30,'memory','39200');
INSERT INTO "trial_user_attributes" VALUES(178,30,'bytes','3264');
INSERT INTO "trial_user_attributes" VALUES(179,30,'digest','"453c27e314d7ea04"');
INSERT INTO "trial_user_attributes" VALUES(180,30,'architecture','{"input_shape": [1, 28, 28], "n_classes": 10, "layers": [{"kind": "conv", "channels": 10, "kernel": 3, "stride": 1, "padding": 1, "groups": 1, "bias": false}, {"kind": "batch_norm", "affine": true}, {"kind": "activation", "function": "relu"}, {"kind": "max_pool", "kernel": 2, "stride": 0, "padding": 0}, {"kind": "conv", "channels": 4, "kernel": 3, "stride": 1, "padding": 1, "groups": 1, "bias": false}, {"kind": "batch_norm", "affine": true}, {"kind": "activation", "function": "relu"}, {"kind": "max_pool", "kernel": 2, "stride": 0, "padding": 0}, {"kind": "conv", "channels": 6, "kernel": 3, "stride": 1, "padding": 1, "groups": 1, "bias": false}, {"kind": "batch_norm", "affine": true}, {"kind": "activation", "function": "relu"}, {"kind": "max_pool", "kernel": 2, "stride": 0, "padding": 0}, {"kind": "adaptive_avg_pool", "size": 1}, {"kind": "flatten"}, {"kind": "linear", "features": 10, "bias": true}]}');
INSERT INTO "trial_user_attributes" VALUES(181,30,'recipe','{"epochs": 3, "batch_size": 128, "optimizer": "sgd", "lr": 0.04239473573522302, "momentum": 0.9, "nesterov": true, "weight_decay": 0.0, "decay_all": false, "schedule": "linear", "warmup": 0.2, "step_epochs": 15, "step_factor": 0.1, "label_smoothing": 0.0, "ema": 0.0, "dropout_schedule": "constant", "augmentation": {"rotation": 6.0, "translation": 0.0, "scale": 0.0, "crop": 0, "crop_probability": 0.0, "crop_position": "random"}}');
INSERT INTO "trial_user_attributes" VALUES(182,30,'network','"conv 3\u00d73 10 p1, max pool 2\u00d72, conv 3\u00d73 4 p1, max pool 2\u00d72, conv 3\u00d73 6 p1, max pool 2\u00d72, global average pool, FC 10"');
INSERT INTO "trial_user_attributes" VALUES(183,30,'training','"3 epochs of batches of 128; SGD Nesterov momentum 0.9; learning rate 0.0423947 (linear to 0, peak at 20%); augmentation: rotation \u00b16\u00b0"');
INSERT INTO "trial_user_attributes" VALUES(184,30,'seed','29');
INSERT INTO "trial_user_attributes" VALUES(185,30,'made_with','{"nas": "0.1.0", "revision": "60664e7", "torch": "2.13.0+cpu", "optuna": "5.0.0", "python": "3.11.7", "machine": "x86_64", "device": "cpu", "threads": 2, "precision": "bfloat16", "kernels": "torch"}');
INSERT INTO "trial_user_attributes" VALUES(186,30,'outcome','"finished"');
INSERT INTO "trial_user_attributes" VALUES(187,31,'params','1250');
INSERT INTO "trial_user_attributes" VALUES(188,31,'macs','243532');
INSERT INTO "trial_user_attributes" VALUES(189,31,'memory','62720');
INSERT INTO "trial_user_attributes" VALUES(190,31,'bytes','5240');
INSERT INTO "trial_user_attributes" VALUES(191,31,'outcome','"rejected"');
INSERT INTO "trial_user_attributes" VALUES(192,31,'reason','"over the budget of 900 parameters"');
INSERT INTO "trial_user_attributes" VALUES(193,32,'params','1452');
INSERT INTO "trial_user_attributes" VALUES(194,32,'macs','183536');
INSERT INTO "trial_user_attributes" VALUES(195,32,'memory','23520');
INSERT INTO "trial_user_attributes" VALUES(196,32,'bytes','6000');
INSERT INTO "trial_user_attributes" VALUES(197,32,'outcome','"rejected"');
INSERT INTO "trial_user_attributes" VALUES(198,32,'reason','"over the budget of 900 parameters"');
INSERT INTO "trial_user_attributes" VALUES(199,33,'params','3144');
INSERT INTO "trial_user_attributes" VALUES(200,33,'macs','367072');
INSERT INTO "trial_user_attributes" VALUES(201,33,'memory','39200');
INSERT INTO "trial_user_attributes" VALUES(202,33,'bytes','12880');
INSERT INTO "trial_user_attributes" VALUES(203,33,'outcome','"rejected"');
INSERT INTO "trial_user_attributes" VALUES(204,33,'reason','"over the budget of 900 parameters"');
INSERT INTO "trial_user_attributes" VALUES(205,34,'params','2510');
INSERT INTO "trial_user_attributes" VALUES(206,34,'macs','418128');
INSERT INTO "trial_user_attributes" VALUES(207,34,'memory','47040');
INSERT INTO "trial_user_attributes" VALUES(208,34,'bytes','10296');
INSERT INTO "trial_user_attributes" VALUES(209,34,'outcome','"rejected"');
INSERT INTO "trial_user_attributes" VALUES(210,34,'reason','"over the budget of 900 parameters"');
INSERT INTO "trial_user_attributes" VALUES(211,35,'params','2218');
INSERT INTO "trial_user_attributes" VALUES(212,35,'macs','324636');
INSERT INTO "trial_user_attributes" VALUES(213,35,'memory','31360');
INSERT INTO "trial_user_attributes" VALUES(214,35,'bytes','9112');
INSERT INTO "trial_user_attributes" VALUES(215,35,'outcome','"rejected"');
INSERT INTO "trial_user_attributes" VALUES(216,35,'reason','"over the budget of 900 parameters"');
INSERT INTO "trial_user_attributes" VALUES(217,36,'params','2790');
INSERT INTO "trial_user_attributes" VALUES(218,36,'macs','328224');
INSERT INTO "trial_user_attributes" VALUES(219,36,'memory','31360');
INSERT INTO "trial_user_attributes" VALUES(220,36,'bytes','11432');
INSERT INTO "trial_user_attributes" VALUES(221,36,'outcome','"rejected"');
INSERT INTO "trial_user_attributes" VALUES(222,36,'reason','"over the budget of 900 parameters"');
INSERT INTO "trial_user_attributes" VALUES(223,37,'params','2184');
INSERT INTO "trial_user_attributes" VALUES(224,37,'macs','324656');
INSERT INTO "trial_user_attributes" VALUES(225,37,'memory','39200');
INSERT INTO "trial_user_attributes" VALUES(226,37,'bytes','8976');
INSERT INTO "trial_user_attributes" VALUES(227,37,'outcome','"rejected"');
INSERT INTO "trial_user_attributes" VALUES(228,37,'reason','"over the budget of 900 parameters"');
INSERT INTO "trial_user_attributes" VALUES(229,38,'params','3158');
INSERT INTO "trial_user_attributes" VALUES(230,38,'macs','254176');
INSERT INTO "trial_user_attributes" VALUES(231,38,'memory','15680');
INSERT INTO "trial_user_attributes" VALUES(232,38,'bytes','12920');
INSERT INTO "trial_user_attributes" VALUES(233,38,'outcome','"rejected"');
INSERT INTO "trial_user_attributes" VALUES(234,38,'reason','"over the budget of 900 parameters"');
INSERT INTO "trial_user_attributes" VALUES(235,39,'params','806');
INSERT INTO "trial_user_attributes" VALUES(236,39,'macs','151744');
INSERT INTO "trial_user_attributes" VALUES(237,39,'memory','31360');
INSERT INTO "trial_user_attributes" VALUES(238,39,'bytes','3368');
INSERT INTO "trial_user_attributes" VALUES(239,39,'digest','"ac4fcad366787265"');
INSERT INTO "trial_user_attributes" VALUES(240,39,'architecture','{"input_shape": [1, 28, 28], "n_classes": 10, "layers": [{"kind": "conv", "channels": 8, "kernel": 3, "stride": 1, "padding": 1, "groups": 1, "bias": false}, {"kind": "batch_norm", "affine": true}, {"kind": "activation", "function": "relu"}, {"kind": "max_pool", "kernel": 2, "stride": 0, "padding": 0}, {"kind": "conv", "channels": 6, "kernel": 3, "stride": 1, "padding": 1, "groups": 1, "bias": false}, {"kind": "batch_norm", "affine": true}, {"kind": "activation", "function": "relu"}, {"kind": "max_pool", "kernel": 2, "stride": 0, "padding": 0}, {"kind": "conv", "channels": 4, "kernel": 3, "stride": 1, "padding": 1, "groups": 1, "bias": false}, {"kind": "batch_norm", "affine": true}, {"kind": "activation", "function": "relu"}, {"kind": "max_pool", "kernel": 2, "stride": 0, "padding": 0}, {"kind": "adaptive_avg_pool", "size": 1}, {"kind": "flatten"}, {"kind": "linear", "features": 10, "bias": true}]}');
INSERT INTO "trial_user_attributes" VALUES(241,39,'recipe','{"epochs": 3, "batch_size": 256, "optimizer": "sgd", "lr": 0.011992740205019881, "momentum": 0.9, "nesterov": true, "weight_decay": 0.0, "decay_all": false, "schedule": "linear", "warmup": 0.2, "step_epochs": 15, "step_factor": 0.1, "label_smoothing": 0.0, "ema": 0.0, "dropout_schedule": "constant", "augmentation": {"rotation": 1.0, "translation": 0.0, "scale": 0.0, "crop": 0, "crop_probability": 0.0, "crop_position": "random"}}');
INSERT INTO "trial_user_attributes" VALUES(242,39,'network','"conv 3\u00d73 8 p1, max pool 2\u00d72, conv 3\u00d73 6 p1, max pool 2\u00d72, conv 3\u00d73 4 p1, max pool 2\u00d72, global average pool, FC 10"');
INSERT INTO "trial_user_attributes" VALUES(243,39,'training','"3 epochs of batches of 256; SGD Nesterov momentum 0.9; learning rate 0.0119927 (linear to 0, peak at 20%); augmentation: rotation \u00b11\u00b0"');
INSERT INTO "trial_user_attributes" VALUES(244,39,'seed','38');
INSERT INTO "trial_user_attributes" VALUES(245,39,'made_with','{"nas": "0.1.0", "revision": "60664e7", "torch": "2.13.0+cpu", "optuna": "5.0.0", "python": "3.11.7", "machine": "x86_64", "device": "cpu", "threads": 2, "precision": "bfloat16", "kernels": "torch"}');
INSERT INTO "trial_user_attributes" VALUES(246,39,'outcome','"pruned"');
INSERT INTO "trial_user_attributes" VALUES(247,39,'reason','"stopped by the pruner after epoch 1"');
INSERT INTO "trial_user_attributes" VALUES(248,40,'params','782');
INSERT INTO "trial_user_attributes" VALUES(249,40,'macs','77736');
INSERT INTO "trial_user_attributes" VALUES(250,40,'memory','15680');
INSERT INTO "trial_user_attributes" VALUES(251,40,'bytes','3288');
INSERT INTO "trial_user_attributes" VALUES(252,40,'digest','"fcf9900fa1914471"');
INSERT INTO "trial_user_attributes" VALUES(253,40,'architecture','{"input_shape": [1, 28, 28], "n_classes": 10, "layers": [{"kind": "conv", "channels": 4, "kernel": 3, "stride": 1, "padding": 1, "groups": 1, "bias": false}, {"kind": "batch_norm", "affine": true}, {"kind": "activation", "function": "relu"}, {"kind": "max_pool", "kernel": 2, "stride": 0, "padding": 0}, {"kind": "conv", "channels": 4, "kernel": 3, "stride": 1, "padding": 1, "groups": 1, "bias": false}, {"kind": "batch_norm", "affine": true}, {"kind": "activation", "function": "relu"}, {"kind": "max_pool", "kernel": 2, "stride": 0, "padding": 0}, {"kind": "conv", "channels": 12, "kernel": 3, "stride": 1, "padding": 1, "groups": 1, "bias": false}, {"kind": "batch_norm", "affine": true}, {"kind": "activation", "function": "relu"}, {"kind": "max_pool", "kernel": 2, "stride": 0, "padding": 0}, {"kind": "adaptive_avg_pool", "size": 1}, {"kind": "flatten"}, {"kind": "linear", "features": 10, "bias": true}]}');
INSERT INTO "trial_user_attributes" VALUES(254,40,'recipe','{"epochs": 3, "batch_size": 256, "optimizer": "sgd", "lr": 0.023037594032248494, "momentum": 0.9, "nesterov": true, "weight_decay": 0.0, "decay_all": false, "schedule": "linear", "warmup": 0.2, "step_epochs": 15, "step_factor": 0.1, "label_smoothing": 0.0, "ema": 0.0, "dropout_schedule": "constant", "augmentation": {"rotation": 7.0, "translation": 0.0, "scale": 0.0, "crop": 0, "crop_probability": 0.0, "crop_position": "random"}}');
INSERT INTO "trial_user_attributes" VALUES(255,40,'network','"conv 3\u00d73 4 p1, max pool 2\u00d72, conv 3\u00d73 4 p1, max pool 2\u00d72, conv 3\u00d73 12 p1, max pool 2\u00d72, global average pool, FC 10"');
INSERT INTO "trial_user_attributes" VALUES(256,40,'training','"3 epochs of batches of 256; SGD Nesterov momentum 0.9; learning rate 0.0230376 (linear to 0, peak at 20%); augmentation: rotation \u00b17\u00b0"');
INSERT INTO "trial_user_attributes" VALUES(257,40,'seed','39');
INSERT INTO "trial_user_attributes" VALUES(258,40,'made_with','{"nas": "0.1.0", "revision": "60664e7", "torch": "2.13.0+cpu", "optuna": "5.0.0", "python": "3.11.7", "machine": "x86_64", "device": "cpu", "threads": 2, "precision": "bfloat16", "kernels": "torch"}');
INSERT INTO "trial_user_attributes" VALUES(259,40,'outcome','"pruned"');
INSERT INTO "trial_user_attributes" VALUES(260,40,'reason','"stopped by the pruner after epoch 1"');
INSERT INTO "trial_user_attributes" VALUES(261,41,'params','492');
INSERT INTO "trial_user_attributes" VALUES(262,41,'macs','91768');
INSERT INTO "trial_user_attributes" VALUES(263,41,'memory','23520');
INSERT INTO "trial_user_attributes" VALUES(264,41,'bytes','2080');
INSERT INTO "trial_user_attributes" VALUES(265,41,'digest','"34ed71fa1caf5188"');
INSERT INTO "trial_user_attributes" VALUES(266,41,'architecture','{"input_shape": [1, 28, 28], "n_classes": 10, "layers": [{"kind": "conv", "channels": 6, "kernel": 3, "stride": 1, "padding": 1, "groups": 1, "bias": false}, {"kind": "batch_norm", "affine": true}, {"kind": "activation", "function": "relu"}, {"kind": "max_pool", "kernel": 2, "stride": 0, "padding": 0}, {"kind": "conv", "channels": 4, "kernel": 3, "stride": 1, "padding": 1, "groups": 1, "bias": false}, {"kind": "batch_norm", "affine": true}, {"kind": "activation", "function": "relu"}, {"kind": "max_pool", "kernel": 2, "stride": 0, "padding": 0}, {"kind": "conv", "channels": 4, "kernel": 3, "stride": 1, "padding": 1, "groups": 1, "bias": false}, {"kind": "batch_norm", "affine": true}, {"kind": "activation", "function": "relu"}, {"kind": "max_pool", "kernel": 2, "stride": 0, "padding": 0}, {"kind": "adaptive_avg_pool", "size": 1}, {"kind": "flatten"}, {"kind": "linear", "features": 10, "bias": true}]}');
INSERT INTO "trial_user_attributes" VALUES(267,41,'recipe','{"epochs": 3, "batch_size": 256, "optimizer": "sgd", "lr": 0.0278931622711575, "momentum": 0.9, "nesterov": true, "weight_decay": 0.0, "decay_all": false, "schedule": "linear", "warmup": 0.2, "step_epochs": 15, "step_factor": 0.1, "label_smoothing": 0.0, "ema": 0.0, "dropout_schedule": "constant", "augmentation": {"rotation": 7.0, "translation": 0.0, "scale": 0.0, "crop": 0, "crop_probability": 0.0, "crop_position": "random"}}');
INSERT INTO "trial_user_attributes" VALUES(268,41,'network','"conv 3\u00d73 6 p1, max pool 2\u00d72, conv 3\u00d73 4 p1, max pool 2\u00d72, conv 3\u00d73 4 p1, max pool 2\u00d72, global average pool, FC 10"');
INSERT INTO "trial_user_attributes" VALUES(269,41,'training','"3 epochs of batches of 256; SGD Nesterov momentum 0.9; learning rate 0.0278932 (linear to 0, peak at 20%); augmentation: rotation \u00b17\u00b0"');
INSERT INTO "trial_user_attributes" VALUES(270,41,'seed','40');
INSERT INTO "trial_user_attributes" VALUES(271,41,'made_with','{"nas": "0.1.0", "revision": "60664e7", "torch": "2.13.0+cpu", "optuna": "5.0.0", "python": "3.11.7", "machine": "x86_64", "device": "cpu", "threads": 2, "precision": "bfloat16", "kernels": "torch"}');
INSERT INTO "trial_user_attributes" VALUES(272,41,'outcome','"pruned"');
INSERT INTO "trial_user_attributes" VALUES(273,41,'reason','"stopped by the pruner after epoch 1"');
INSERT INTO "trial_user_attributes" VALUES(274,42,'params','876');
INSERT INTO "trial_user_attributes" VALUES(275,42,'macs','105960');
INSERT INTO "trial_user_attributes" VALUES(276,42,'memory','23520');
INSERT INTO "trial_user_attributes" VALUES(277,42,'bytes','3680');
INSERT INTO "trial_user_attributes" VALUES(278,42,'digest','"24f9902908517314"');
INSERT INTO "trial_user_attributes" VALUES(279,42,'architecture','{"input_shape": [1, 28, 28], "n_classes": 10, "layers": [{"kind": "conv", "channels": 6, "kernel": 3, "stride": 1, "padding": 1, "groups": 1, "bias": false}, {"kind": "batch_norm", "affine": true}, {"kind": "activation", "function": "relu"}, {"kind": "max_pool", "kernel": 2, "stride": 0, "padding": 0}, {"kind": "conv", "channels": 4, "kernel": 3, "stride": 1, "padding": 1, "groups": 1, "bias": false}, {"kind": "batch_norm", "affine": true}, {"kind": "activation", "function": "relu"}, {"kind": "max_pool", "kernel": 2, "stride": 0, "padding": 0}, {"kind": "conv", "channels": 12, "kernel": 3, "stride": 1, "padding": 1, "groups": 1, "bias": false}, {"kind": "batch_norm", "affine": true}, {"kind": "activation", "function": "relu"}, {"kind": "max_pool", "kernel": 2, "stride": 0, "padding": 0}, {"kind": "adaptive_avg_pool", "size": 1}, {"kind": "flatten"}, {"kind": "linear", "features": 10, "bias": true}]}');
INSERT INTO "trial_user_attributes" VALUES(280,42,'recipe','{"epochs": 3, "batch_size": 128, "optimizer": "sgd", "lr": 0.011593370124755628, "momentum": 0.9, "nesterov": true, "weight_decay": 0.0, "decay_all": false, "schedule": "linear", "warmup": 0.2, "step_epochs": 15, "step_factor": 0.1, "label_smoothing": 0.0, "ema": 0.0, "dropout_schedule": "constant", "augmentation": {"rotation": 7.0, "translation": 0.0, "scale": 0.0, "crop": 0, "crop_probability": 0.0, "crop_position": "random"}}');
INSERT INTO "trial_user_attributes" VALUES(281,42,'network','"conv 3\u00d73 6 p1, max pool 2\u00d72, conv 3\u00d73 4 p1, max pool 2\u00d72, conv 3\u00d73 12 p1, max pool 2\u00d72, global average pool, FC 10"');
INSERT INTO "trial_user_attributes" VALUES(282,42,'training','"3 epochs of batches of 128; SGD Nesterov momentum 0.9; learning rate 0.0115934 (linear to 0, peak at 20%); augmentation: rotation \u00b17\u00b0"');
INSERT INTO "trial_user_attributes" VALUES(283,42,'seed','41');
INSERT INTO "trial_user_attributes" VALUES(284,42,'made_with','{"nas": "0.1.0", "revision": "60664e7", "torch": "2.13.0+cpu", "optuna": "5.0.0", "python": "3.11.7", "machine": "x86_64", "device": "cpu", "threads": 2, "precision": "bfloat16", "kernels": "torch"}');
CREATE TABLE trial_values (
	trial_value_id INTEGER NOT NULL, 
	trial_id INTEGER NOT NULL, 
	objective INTEGER NOT NULL, 
	value FLOAT, 
	value_type VARCHAR(7) NOT NULL, 
	PRIMARY KEY (trial_value_id), 
	UNIQUE (trial_id, objective), 
	FOREIGN KEY(trial_id) REFERENCES trials (trial_id)
);
INSERT INTO "trial_values" VALUES(1,30,0,0.288,'FINITE');
INSERT INTO "trial_values" VALUES(2,39,0,0.1,'FINITE');
INSERT INTO "trial_values" VALUES(3,40,0,0.114,'FINITE');
INSERT INTO "trial_values" VALUES(4,41,0,0.108,'FINITE');
CREATE TABLE trials (
	trial_id INTEGER NOT NULL, 
	number INTEGER, 
	study_id INTEGER, 
	state VARCHAR(8) NOT NULL, 
	datetime_start DATETIME, 
	datetime_complete DATETIME, 
	PRIMARY KEY (trial_id), 
	FOREIGN KEY(study_id) REFERENCES studies (study_id)
);
INSERT INTO "trials" VALUES(1,0,1,'PRUNED','2026-11-25 01:12:33.009845','2026-11-25 01:12:33.052068');
INSERT INTO "trials" VALUES(2,1,1,'PRUNED','2026-11-25 01:12:33.059426','2026-11-25 01:12:33.076767');
INSERT INTO "trials" VALUES(3,2,1,'PRUNED','2026-11-25 01:12:33.083990','2026-11-25 01:12:33.101130');
INSERT INTO "trials" VALUES(4,3,1,'PRUNED','2026-11-25 01:12:33.107928','2026-11-25 01:12:33.121355');
INSERT INTO "trials" VALUES(5,4,1,'PRUNED','2026-11-25 01:12:33.124214','2026-11-25 01:12:33.133349');
INSERT INTO "trials" VALUES(6,5,1,'PRUNED','2026-11-25 01:12:33.136439','2026-11-25 01:12:33.145459');
INSERT INTO "trials" VALUES(7,6,1,'PRUNED','2026-11-25 01:12:33.148267','2026-11-25 01:12:33.157200');
INSERT INTO "trials" VALUES(8,7,1,'PRUNED','2026-11-25 01:12:33.159973','2026-11-25 01:12:33.172090');
INSERT INTO "trials" VALUES(9,8,1,'PRUNED','2026-11-25 01:12:33.175027','2026-11-25 01:12:33.183898');
INSERT INTO "trials" VALUES(10,9,1,'PRUNED','2026-11-25 01:12:33.186700','2026-11-25 01:12:33.195500');
INSERT INTO "trials" VALUES(11,10,1,'PRUNED','2026-11-25 01:12:33.198251','2026-11-25 01:12:33.206978');
INSERT INTO "trials" VALUES(12,11,1,'PRUNED','2026-11-25 01:12:33.209662','2026-11-25 01:12:33.227066');
INSERT INTO "trials" VALUES(13,12,1,'PRUNED','2026-11-25 01:12:33.229947','2026-11-25 01:12:33.252035');
INSERT INTO "trials" VALUES(14,13,1,'PRUNED','2026-11-25 01:12:33.259223','2026-11-25 01:12:33.272813');
INSERT INTO "trials" VALUES(15,14,1,'PRUNED','2026-11-25 01:12:33.275631','2026-11-25 01:12:33.284441');
INSERT INTO "trials" VALUES(16,15,1,'PRUNED','2026-11-25 01:12:33.287253','2026-11-25 01:12:33.296135');
INSERT INTO "trials" VALUES(17,16,1,'PRUNED','2026-11-25 01:12:33.298928','2026-11-25 01:12:33.307770');
INSERT INTO "trials" VALUES(18,17,1,'PRUNED','2026-11-25 01:12:33.310507','2026-11-25 01:12:33.319172');
INSERT INTO "trials" VALUES(19,18,1,'PRUNED','2026-11-25 01:12:33.321869','2026-11-25 01:12:33.339325');
INSERT INTO "trials" VALUES(20,19,1,'PRUNED','2026-11-25 01:12:33.346516','2026-11-25 01:12:33.370942');
INSERT INTO "trials" VALUES(21,20,1,'PRUNED','2026-11-25 01:12:33.373872','2026-11-25 01:12:33.382860');
INSERT INTO "trials" VALUES(22,21,1,'PRUNED','2026-11-25 01:12:33.385595','2026-11-25 01:12:33.394393');
INSERT INTO "trials" VALUES(23,22,1,'PRUNED','2026-11-25 01:12:33.397248','2026-11-25 01:12:33.406069');
INSERT INTO "trials" VALUES(24,23,1,'PRUNED','2026-11-25 01:12:33.408842','2026-11-25 01:12:33.417843');
INSERT INTO "trials" VALUES(25,24,1,'PRUNED','2026-11-25 01:12:33.420658','2026-11-25 01:12:33.429733');
INSERT INTO "trials" VALUES(26,25,1,'PRUNED','2026-11-25 01:12:33.432538','2026-11-25 01:12:33.441383');
INSERT INTO "trials" VALUES(27,26,1,'PRUNED','2026-11-25 01:12:33.444186','2026-11-25 01:12:33.452962');
INSERT INTO "trials" VALUES(28,27,1,'PRUNED','2026-11-25 01:12:33.455707','2026-11-25 01:12:33.464437');
INSERT INTO "trials" VALUES(29,28,1,'PRUNED','2026-11-25 01:12:33.467181','2026-11-25 01:12:33.480292');
INSERT INTO "trials" VALUES(30,29,1,'COMPLETE','2026-11-25 01:12:33.487313','2026-11-25 01:12:43.172581');
INSERT INTO "trials" VALUES(31,30,1,'PRUNED','2026-11-25 01:12:43.181521','2026-11-25 01:12:43.207501');
INSERT INTO "trials" VALUES(32,31,1,'PRUNED','2026-11-25 01:12:43.215408','2026-11-25 01:12:43.244736');
INSERT INTO "trials" VALUES(33,32,1,'PRUNED','2026-11-25 01:12:43.248131','2026-11-25 01:12:43.264423');
INSERT INTO "trials" VALUES(34,33,1,'PRUNED','2026-11-25 01:12:43.278654','2026-11-25 01:12:43.302666');
INSERT INTO "trials" VALUES(35,34,1,'PRUNED','2026-11-25 01:12:43.306024','2026-11-25 01:12:43.338992');
INSERT INTO "trials" VALUES(36,35,1,'PRUNED','2026-11-25 01:12:43.346609','2026-11-25 01:12:43.369953');
INSERT INTO "trials" VALUES(37,36,1,'PRUNED','2026-11-25 01:12:43.373208','2026-11-25 01:12:43.400628');
INSERT INTO "trials" VALUES(38,37,1,'PRUNED','2026-11-25 01:12:43.404011','2026-11-25 01:12:43.431553');
INSERT INTO "trials" VALUES(39,38,1,'PRUNED','2026-11-25 01:12:43.438912','2026-11-25 01:12:45.915022');
INSERT INTO "trials" VALUES(40,39,1,'PRUNED','2026-11-25 01:12:45.918601','2026-11-25 01:12:47.845409');
INSERT INTO "trials" VALUES(41,40,1,'PRUNED','2026-11-25 01:12:47.853458','2026-11-25 01:12:49.242016');
INSERT INTO "trials" VALUES(42,41,1,'RUNNING','2026-11-25 01:13:26.967931',NULL);
CREATE TABLE version_info (
	version_info_id INTEGER NOT NULL, 
	schema_version INTEGER, 
	library_version VARCHAR(256), 
	PRIMARY KEY (version_info_id), 
	CHECK (version_info_id=1)
);
INSERT INTO "version_info" VALUES(1,12,'5.0.0');
CREATE UNIQUE INDEX ix_studies_study_name ON studies (study_name);
CREATE INDEX ix_trials_study_id ON trials (study_id);
COMMIT;

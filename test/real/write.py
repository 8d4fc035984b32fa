"""Writes files of real Keras and TF-Slim networks with random weights, their input and their logits, for real.test.ts.

python3 write.py FOLDER, once with TensorFlow 2.16 or newer (Keras 3) and once with TensorFlow 2.12 (Keras 2) and tf_slim.
The files have a few hundred megabytes, so none lies here.
"""

import json
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import tensorflow as tf

keras = tf.keras

FOLDER = sys.argv[1]
os.makedirs(FOLDER, exist_ok=True)
random = np.random.default_rng(7)
PATH = f"{FOLDER}/about.json"
about = json.load(open(PATH)) if os.path.exists(PATH) else []
KERAS = keras.__version__


def varied(name, value):
    """Statistics and shifts as a trained network has them: a fresh one's zeros and ones would hide an exchange."""
    name = name.removesuffix(":0")
    if name.endswith("moving_mean") or name.endswith("beta"):
        return random.normal(0, 0.1, value.shape).astype(np.float32)
    if name.endswith("moving_variance"):
        return random.uniform(0.5, 1.5, value.shape).astype(np.float32)
    return value


def note(name, files, images, logits, network, dialect, versions):
    images.astype("<f4").tofile(f"{FOLDER}/{name}.images")
    about.append(
        {
            "name": name,
            "files": files,
            "network": network,
            "dialect": dialect,
            "source": versions,
            "shape": list(images.shape),
            "logits": [row.tolist() for row in np.asarray(logits, np.float64)],
        }
    )
    json.dump(about, open(PATH, "w"))


def keras_network(name, build, network, size):
    keras.utils.set_random_seed(3)
    model = build(weights=None, classifier_activation=None, input_shape=(size[0], size[1], 3), classes=1000)
    for variable in model.variables:
        variable.assign(varied(getattr(variable, "path", variable.name), np.asarray(variable)))
    images = random.uniform(-1, 1, (2, size[0], size[1], 3)).astype(np.float32)
    name = f"{name}_keras{KERAS[0]}"
    model.save(f"{FOLDER}/{name}.h5")
    # Keras 3 writes its own layout, Keras 2 that of the layers' names.
    weights = f"{name}.weights.h5" if KERAS[0] == "3" else f"{name}_weights.h5"
    model.save_weights(f"{FOLDER}/{weights}")
    note(name, [f"{name}.h5", weights], images, model(images, training=False), network, "keras", f"Keras {KERAS}")


def slim_network():
    import tf_slim
    from tf_slim.nets import inception_v3

    tf1 = tf.compat.v1
    with tf.Graph().as_default(), tf1.Session() as session:
        tf1.set_random_seed(5)
        images = random.uniform(-1, 1, (2, 299, 299, 3)).astype(np.float32)
        placeholder = tf1.placeholder(tf.float32, images.shape)
        with tf_slim.arg_scope(inception_v3.inception_v3_arg_scope()):
            logits, _ = inception_v3.inception_v3(placeholder, num_classes=1001, is_training=False)
        session.run(tf1.global_variables_initializer())
        for variable in tf1.global_variables():
            variable.load(varied(variable.op.name, session.run(variable)), session)
        tf1.train.Saver().save(session, f"{FOLDER}/slim_v3.ckpt", write_meta_graph=False)
        tf1.train.Saver(write_version=tf1.train.SaverDef.V1).save(
            session, f"{FOLDER}/slim_v3_single.ckpt", write_meta_graph=False
        )
        note(
            "slim_v3",
            ["slim_v3.ckpt", "slim_v3_single.ckpt"],
            images,
            session.run(logits, {placeholder: images}),
            "inception-v3",
            "tf-slim",
            f"tf_slim on TensorFlow {tf.__version__}",
        )


keras_network("v3", keras.applications.InceptionV3, "inception-v3", (299, 299))
keras_network("v3_wide", keras.applications.InceptionV3, "inception-v3", (139, 203))
keras_network("irv2", keras.applications.InceptionResNetV2, "inception-resnet-v2-released", (299, 299))
if KERAS[0] == "2":
    slim_network()

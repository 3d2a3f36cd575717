# %% [markdown]
# # Galaxies, poses and votes
#
# A look at every part of tfgalaxy on simulated galaxies, whose truth is known. As a notebook:
# `jupytext --to ipynb examples/notebook/explore.py`; put `tg.data.load_catalogue("votes.csv", images="images/")` in
# the place of the simulation to see your own.

# %%
# %matplotlib inline
import os

import numpy as np
import tensorflow as tf

import tfgalaxy as tg
from tfgalaxy.data.simulation import simulate_arrays

COUNT = int(os.environ.get("TFGALAXY_EXPLORE_GALAXIES", 600))  # a minute or two of training
EPOCHS = int(os.environ.get("TFGALAXY_EXPLORE_EPOCHS", 10))

# %% [markdown]
# ## Galaxies and what volunteers said about them

# %%
pictures, votes, truth = simulate_arrays(COUNT, image_size=128, questions="gz1")
images = (pictures[:, 32:96, 32:96] / 255).astype(np.float32)  # the central half, as every model here sees it
questions = tg.load_questions("gz1")
tg.evaluation.picture_grid(images[:12])

# %% [markdown]
# ## The pose that an Equivariant Transformer takes off
#
# Turn a galaxy, and its pose turns with it; the canonical view stays.

# %%
transformer = tg.layers.EquivariantTransformer("rotation")
turned = tf.image.rot90(images[:6])
both = np.concatenate([transformer(images[:6]), transformer(turned)])
tg.evaluation.picture_grid(np.clip(both, 0, 1), columns=6)

# %% [markdown]
# ## A model that learns from votes and from images alone

# %%
model = tg.GalaxyVAE(questions, tg.ModelConfig(image_size=64))
model.compile(vae_optimizer="adam", classifier_optimizer="adam")
held_out = COUNT // 4
labelled = tf.data.Dataset.from_tensor_slices((images[held_out:], votes[held_out:].astype(np.float32)))
unlabelled = tf.data.Dataset.from_tensor_slices(images[held_out:])
batch = min(32, COUNT // 4)
pairs = tf.data.Dataset.zip((labelled.shuffle(COUNT), unlabelled.shuffle(COUNT))).batch(batch, drop_remainder=True)
history = model.fit(pairs, epochs=EPOCHS, verbose=2)

# %% [markdown]
# ## How far its answers can be trusted

# %%
answers = {name: tensor.numpy() for name, tensor in model.classify(images[:held_out]).items()}
tg.evaluation.reliability_diagram(questions, votes[:held_out], answers["fraction"], "smooth-or-featured").figure

# %%
embedding = model.embed(images[:held_out])["latent_mean"].numpy()
likeliest = answers["fraction"][:, :3].argmax(axis=1)
tg.evaluation.latent_map(tg.evaluation.project_latent(embedding), likeliest, questions.questions[0].answers).figure

# %% [markdown]
# ## Ready for TF Serving

# %%
tg.export.save(model, os.environ.get("TFGALAXY_EXPLORE_OUTPUT", "models/galaxy"))

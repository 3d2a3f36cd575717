"""Fits a model to a catalogue of votes and a folder of images, and writes it for TF Serving.

python examples/fit.py CATALOGUE IMAGES OUTPUT [QUESTIONS] [EPOCHS]
"""

import sys

import tfgalaxy as tg


def main(catalogue, images, output, questions="gz2", epochs=30, config=tg.ModelConfig()):  # noqa: B008
    """Trains on 70 % of the galaxies, watches 10 %, and judges by the other 20 %."""
    galaxies = tg.data.load_catalogue(catalogue, images, questions)
    print(galaxies.summary())
    train, validation, test = galaxies.split(seed=0)
    model = tg.GalaxyVAE(galaxies.questions, config)
    model.compile(vae_optimizer="adam", classifier_optimizer="adam")
    model.fit(
        tg.data.alternating_batches(train, batch_size=16, image_size=config.image_size),
        validation_data=tg.data.batches(validation, image_size=config.image_size),
        epochs=int(epochs),
    )
    scores = model.evaluate(tg.data.batches(test, image_size=config.image_size), return_dict=True)
    print(f"SavedModel: {tg.export.save(model, output)}")
    return scores


if __name__ == "__main__":
    print(main(*sys.argv[1:]))

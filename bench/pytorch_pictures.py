"""Pictures in files and their captions, encoded by a model's VAE and text encoder with PyTorch."""

import tempfile
from pathlib import Path

import numpy
import torch
from diffusers import AutoencoderKL
from PIL import Image
from transformers import CLIPTextModel, CLIPTokenizer


class PictureInputs:
    """Random pictures in files, which are there before the iteration begins, and their captions."""

    def __init__(self, unet, options):
        self.batch = options.batch
        self.vae = AutoencoderKL.from_pretrained(options.model, subfolder="vae").eval().requires_grad_(False)
        self.tokenizer = CLIPTokenizer.from_pretrained(options.model, subfolder="tokenizer")
        text_encoder = CLIPTextModel.from_pretrained(options.model, subfolder="text_encoder", dtype=torch.float32)
        self.text_encoder = text_encoder.eval().requires_grad_(False)
        self.folder = tempfile.TemporaryDirectory()
        side = unet.config.sample_size * 2 ** (len(self.vae.config.block_out_channels) - 1)
        for number in range(options.steps):
            self.write(torch.rand(options.batch, 3, side, side) * 2 - 1, self.folder.name, number)

    def latents(self, number):
        return self.read(self.folder.name, number)

    def states(self, number):
        return self.encode([f"a picture of subject number {number * self.batch + i}" for i in range(self.batch)])

    def empty_states(self):
        return self.encode([""]).expand(self.batch, -1, -1)

    def encode(self, prompts):
        length = self.tokenizer.model_max_length
        ids = self.tokenizer(prompts, padding="max_length", max_length=length, truncation=True, return_tensors="pt")
        return self.text_encoder(ids.input_ids)[0]

    def decode(self, latents):
        return self.vae.decode(latents / self.vae.config.scaling_factor).sample

    def write(self, pictures, folder, number):
        pixels = (pictures * 127.5 + 127.5).clamp(0, 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
        for i, picture in enumerate(pixels):
            Image.fromarray(picture).save(Path(folder) / f"{number}-{i}.png")

    def read(self, folder, number):
        files = [Path(folder) / f"{number}-{i}.png" for i in range(self.batch)]
        pixels = torch.from_numpy(numpy.stack([numpy.asarray(Image.open(file).convert("RGB")) for file in files]))
        pictures = pixels.permute(0, 3, 1, 2).float() / 127.5 - 1
        return self.vae.encode(pictures).latent_dist.sample() * self.vae.config.scaling_factor

"""What all benchmarks with PyTorch share: random inputs, guidance, errors."""

import torch


def latent_shape(unet):
    return [unet.config.in_channels, unet.config.sample_size, unet.config.sample_size]


def random_latents(unet, batch):
    return torch.randn(batch, *latent_shape(unet))


def random_states(unet, batch, options):
    return torch.randn(batch, options.tokens, unet.config.cross_attention_dim)


def predict_guided(unet, latents, t, states, guidance):
    """As StableDiffusionPipeline: without and with the prompt in one batch; states are those of both, in this order."""
    if guidance == 1:
        conditional = unet(latents, t, states[len(latents) :]).sample
        return conditional, conditional
    unconditional, conditional = unet(torch.cat([latents, latents]), t, states).sample.chunk(2)
    return unconditional + guidance * (conditional - unconditional), conditional


def sample_latents(unet, scheduler, start, states, steps, guidance):
    """DDIM without noise, from x_T to x_0."""
    with torch.no_grad():
        scheduler.set_timesteps(steps)
        latents = start
        for t in scheduler.timesteps:
            guided, _ = predict_guided(unet, latents, t, states, guidance)
            latents = scheduler.step(guided, t, latents).prev_sample
    return latents


def squared_error(target, prediction):
    """Means over C, H, W, one for each example."""
    return (target - prediction).square().mean(dim=(1, 2, 3))

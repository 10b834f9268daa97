"""A whole SPIN iteration with PyTorch: θ_k samples, then the optimiser's steps, with θ_k evaluated in each unless its errors are given."""

import tempfile

import torch

from pytorch_model import predict_guided, random_latents, random_states, sample_latents, squared_error
from pytorch_step import TrainingStep


def bench_iteration(unet, scheduler, options):
    step = TrainingStep(unet, options)
    kind = DiskIteration if options.samples == "disk" else MemoryIteration
    iteration = kind(unet, scheduler, step, make_inputs(unet, options), options)
    return lambda: iteration(1, 2), lambda: iteration(options.steps, options.sampling_steps)


def make_inputs(unet, options):
    if options.inputs == "latents":
        return LatentInputs(unet, options)
    from pytorch_pictures import PictureInputs  # Here, as it brings transformers, which takes memory.

    return PictureInputs(unet, options)


class MemoryIteration:
    """Real and sampled latents, and the captions' states, stay in memory between sampling and training."""

    def __init__(self, unet, scheduler, step, inputs, options):
        self.unet, self.sampler, self.scheduler = unet, step.frozen, scheduler
        self.step, self.inputs, self.options = step, inputs, options

    def __call__(self, steps, sampling_steps):
        self.renew_sampler()
        with torch.no_grad():
            batches = [self.sample(number, sampling_steps) for number in range(steps)]
        for draws, states in batches:
            self.step(draws, states)

    def renew_sampler(self):
        """θ_k becomes what θ is; under LoRA the frozen weights are shared."""
        if not self.step.adapters:
            self.sampler.load_state_dict(self.unet.state_dict())

    def sample(self, number, sampling_steps):
        x0, states = self.inputs.latents(number), self.inputs.states(number)
        both = torch.cat([self.inputs.empty_states(), states])
        sampled = (self.sampler, self.scheduler, x0, both, sampling_steps, self.options)
        if self.options.form == "trajectory":
            return trajectory_draws(*sampled), states
        start = torch.randn_like(x0)
        synthetic = sample_latents(self.sampler, self.scheduler, start, both, sampling_steps, self.options.guidance)
        return renoised_draws(self.sampler, self.scheduler, x0, synthetic, states, self.options), states


class DiskIteration(MemoryIteration):
    """The released recipe's way: samples become picture files; training reads them and the real ones and encodes all anew."""

    def __call__(self, steps, sampling_steps):
        self.renew_sampler()
        with tempfile.TemporaryDirectory() as folder, torch.no_grad():
            for number in range(steps):
                both = torch.cat([self.inputs.empty_states(), self.inputs.states(number)])
                start = random_latents(self.unet, self.options.batch)
                sampled = (self.sampler, self.scheduler, start, both, sampling_steps, self.options.guidance)
                self.inputs.write(self.inputs.decode(sample_latents(*sampled)), folder, number)
            for number in range(steps):
                x0, synthetic = self.inputs.latents(number), self.inputs.read(folder, number)
                states = self.inputs.states(number)
                draws = renoised_draws(self.sampler, self.scheduler, x0, synthetic, states, self.options)
                with torch.enable_grad():
                    self.step(draws, states)


class LatentInputs:
    """Random latents and text states, as though they had been encoded before."""

    def __init__(self, unet, options):
        self.x0 = random_latents(unet, options.batch)
        self.text, self.empty = random_states(unet, 2 * options.batch, options).chunk(2)

    def latents(self, number):
        return self.x0

    def states(self, number):
        return self.text

    def empty_states(self):
        return self.empty


def renoised_draws(unet, scheduler, x0, synthetic, states, options):
    """Both sides noised to the same t with the same ε, which is the target of both."""
    noise = torch.randn_like(x0)
    t = torch.randint(scheduler.config.num_train_timesteps, (len(x0),))
    xt = torch.cat([scheduler.add_noise(x0, noise, t), scheduler.add_noise(synthetic, noise, t)])
    target, timesteps, errors = torch.cat([noise, noise]), t.repeat(2), torch.ones(2 * len(x0))
    if options.reference == "given":
        errors = squared_error(target, unet(xt, timesteps, torch.cat([states, states])).sample)
    return {"xt": xt, "target": target, "t": timesteps, "errors": errors}


def trajectory_draws(unet, scheduler, x0, states, sampling_steps, options):
    """One draw from each of B pairs of trajectories at η = 1: x_t, the target ε* and, where wanted, θ_k's errors.

    A walk ends at the last step that a draw is taken from.
    """
    batch = len(x0)
    scheduler.set_timesteps(sampling_steps)
    abars = scheduler.alphas_cumprod
    chosen = torch.randint(sampling_steps, (batch,))
    xt, target = torch.empty(2, *x0.shape), torch.empty(2, *x0.shape)
    errors, timesteps = torch.ones(2, batch), torch.empty(batch, dtype=torch.long)
    synthetic = torch.randn_like(x0)
    real = None
    for i, t in enumerate(scheduler.timesteps[: int(chosen.max()) + 1]):
        previous = scheduler.timesteps[i + 1] if i + 1 < sampling_steps else torch.tensor(0)
        abar, abar_previous = abars[t], abars[previous]
        if real is None:
            real = abar.sqrt() * x0 + (1 - abar).sqrt() * torch.randn_like(x0)
        sigma = ((1 - abar_previous) / (1 - abar)).sqrt() * (1 - abar / abar_previous).sqrt()
        direction = (1 - abar_previous - sigma**2).clamp(min=0).sqrt()
        kappa = direction - (abar_previous * (1 - abar) / abar).sqrt()
        z_real, z_synthetic = torch.randn_like(x0), torch.randn_like(x0)
        noise = (real - abar.sqrt() * x0) / (1 - abar).sqrt()
        guided, conditional = predict_guided(unet, synthetic, t, states, options.guidance)
        targets = torch.stack([noise + sigma / kappa * z_real, guided + sigma / kappa * z_synthetic])
        here = chosen == i
        xt[:, here] = torch.stack([real, synthetic])[:, here]
        target[:, here] = targets[:, here]
        timesteps[here] = t
        errors[1, here] = squared_error(targets[1], conditional)[here]
        estimate = (synthetic - (1 - abar).sqrt() * guided) / abar.sqrt()
        synthetic = abar_previous.sqrt() * estimate + direction * guided + sigma * z_synthetic
        real = abar_previous.sqrt() * x0 + direction * noise + sigma * z_real
    if options.reference == "given":
        errors[0] = squared_error(target[0], unet(xt[0], timesteps, states[batch:]).sample)
    return {
        "xt": xt.flatten(0, 1),
        "target": target.flatten(0, 1),
        "t": timesteps.repeat(2),
        "errors": errors.flatten(),
    }

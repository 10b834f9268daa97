"""The benchmarks of `spin-diffusion bench`, done with PyTorch and diffusers on the same folder.

Needs torch and diffusers from PyPI, in an environment of their own; see bench/README.md. Eager mode, float32, all cores:
    python bench/pytorch.py step --model demo/base --batch 8
"""

import argparse
import json
import resource
import statistics
import time

import torch
import torch.nn.functional as F
from diffusers import DDIMScheduler, UNet2DConditionModel

BETA = 1000
DEFAULT_REPEATS = {"unet": 10, "sample": 3, "step": 5, "iteration": 1}
DEFAULT_STEPS = {"unet": 1, "sample": 50, "step": 1, "iteration": 10}


def main():
    options = parse_options()
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    started = time.perf_counter()
    unet = UNet2DConditionModel.from_pretrained(options.model, subfolder="unet")
    scheduler = DDIMScheduler.from_pretrained(options.model, subfolder="scheduler", clip_sample=False, steps_offset=1)
    warm_up, run = BENCHMARKS[options.bench](unet, scheduler, options)
    warm_up()
    setup = time.perf_counter() - started
    times = [timed(run) for _ in range(options.repeats)]
    print(
        json.dumps(
            {
                "bench": options.bench,
                "ms": round(statistics.median(times), 3),
                "peak_rss_mb": round(peak_memory(), 1),
                "all_ms": [round(ms, 3) for ms in times],
                "setup_ms": round(setup * 1000),
                "settings": {key: value for key, value in vars(options).items() if key not in ("bench", "model", "json")}
                | {"threads": torch.get_num_threads()},
                "parameters": sum(p.numel() for p in unet.parameters()),
                "latent": latent_shape(unet),
                "runtime": f"torch {torch.__version__}",
            }
        )
    )


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("bench", choices=list(DEFAULT_REPEATS))
    parser.add_argument("--model", required=True)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--steps", type=int)
    parser.add_argument("--sampling-steps", type=int, default=50)
    parser.add_argument("--guidance", type=float, default=7.5)
    parser.add_argument("--reference", choices=["evaluated", "given"], default="evaluated")
    parser.add_argument("--lora", type=int, help="step, iteration: rank of a LoRA on the attention projections; needs peft")
    parser.add_argument("--tokens", type=int, default=77)
    parser.add_argument("--repeats", type=int)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--json", action="store_true", help="accepted for likeness; the output is JSON anyway")
    options = parser.parse_args()
    options.repeats = options.repeats or DEFAULT_REPEATS[options.bench]
    options.steps = options.steps or DEFAULT_STEPS[options.bench]
    return options


def timed(run):
    started = time.perf_counter()
    run()
    return (time.perf_counter() - started) * 1000


def peak_memory():
    """The most memory that this process had resident at any time, in MiB."""
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) / 1024
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def latent_shape(unet):
    return [unet.config.in_channels, unet.config.sample_size, unet.config.sample_size]


def random_latents(unet, batch):
    return torch.randn(batch, *latent_shape(unet))


def random_states(unet, batch, options):
    return torch.randn(batch, options.tokens, unet.config.cross_attention_dim)


def bench_unet(unet, scheduler, options):
    unet.eval()
    latents, states = random_latents(unet, options.batch), random_states(unet, options.batch, options)
    timestep = torch.full((options.batch,), scheduler.config.num_train_timesteps // 2)

    def run():
        with torch.no_grad():
            unet(latents, timestep, states)

    return run, run


def bench_sample(unet, scheduler, options):
    unet.eval()
    start = random_latents(unet, options.batch)
    states = random_states(unet, 2 * options.batch, options)

    def run():
        with torch.no_grad():
            scheduler.set_timesteps(options.steps)
            latents = start
            for t in scheduler.timesteps:
                guided, _ = predict_guided(unet, latents, t, states, options.guidance)
                latents = scheduler.step(guided, t, latents).prev_sample

    return run, run


def predict_guided(unet, latents, t, states, guidance):
    """As StableDiffusionPipeline: without and with the prompt in one batch."""
    if guidance == 1:
        conditional = unet(latents, t, states[len(latents) :]).sample
        return conditional, conditional
    unconditional, conditional = unet(torch.cat([latents, latents]), t, states).sample.chunk(2)
    return unconditional + guidance * (conditional - unconditional), conditional


def bench_step(unet, scheduler, options):
    step = TrainingStep(unet, options)
    latents = [random_latents(unet, options.batch) for _ in range(4)]
    t = ((torch.arange(options.batch) + 0.5) * scheduler.config.num_train_timesteps / options.batch).long()
    errors = torch.ones(2 * options.batch)
    draws = {"xt": torch.cat(latents[:2]), "target": torch.cat(latents[2:]), "t": torch.cat([t, t]), "errors": errors}
    states = random_states(unet, options.batch, options)
    run = lambda: step(draws, states)  # noqa: E731
    return run, run


class TrainingStep:
    """SPIN-Diffusion, equation 4.9, on B real and B synthetic examples, with AdamW and clipping."""

    def __init__(self, unet, options):
        self.unet = unet.train()
        self.reference = None
        if options.lora:
            self.add_adapter(options.lora)
        if options.reference == "evaluated":
            self.reference = self.without_adapter if options.lora else self.second_copy(options.model)
        self.trained = [p for p in unet.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(self.trained, lr=1e-6, weight_decay=1e-2)

    def add_adapter(self, rank):
        from peft import LoraConfig

        self.unet.requires_grad_(False)
        targets = ["to_q", "to_k", "to_v", "to_out.0"]
        self.unet.add_adapter(LoraConfig(r=rank, lora_alpha=rank, target_modules=targets))

    def without_adapter(self, *inputs):
        """θ_k, where an adapter is trained: the same weights without it."""
        self.unet.disable_adapters()
        prediction = self.unet(*inputs)
        self.unet.enable_adapters()
        return prediction

    @staticmethod
    def second_copy(model):
        return UNet2DConditionModel.from_pretrained(model, subfolder="unet").eval().requires_grad_(False)

    def __call__(self, draws, states):
        both_states = torch.cat([states, states])
        reference = draws["errors"]
        if self.reference is not None:
            with torch.no_grad():
                reference = squared_error(draws["target"], self.reference(draws["xt"], draws["t"], both_states).sample)
        error = squared_error(draws["target"], self.unet(draws["xt"], draws["t"], both_states).sample)
        real, synthetic = (error - reference).chunk(2)
        loss = F.softplus(BETA * (real - synthetic)).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.trained, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        loss.item()


def squared_error(target, prediction):
    return (target - prediction).square().mean(dim=(1, 2, 3))


def bench_iteration(unet, scheduler, options):
    """θ_k samples whole trajectories; then the optimiser's steps, with θ_k evaluated in each unless its errors are given."""
    step = TrainingStep(unet, options)
    sampler = step.reference or UNet2DConditionModel.from_pretrained(options.model, subfolder="unet").eval()
    states = random_states(unet, 2 * options.batch, options)
    x0 = random_latents(unet, options.batch)

    def iteration(steps, sampling_steps):
        with torch.no_grad():
            batches = [
                sample_draws(sampler, scheduler, x0, states, sampling_steps, options) for _ in range(steps)
            ]
        for draws in batches:
            step(draws, states[options.batch :])

    return lambda: iteration(1, 2), lambda: iteration(options.steps, options.sampling_steps)


def sample_draws(unet, scheduler, x0, states, sampling_steps, options):
    """One draw from each of B pairs of trajectories at η = 1: x_t, the target ε* and, where wanted, θ_k's errors."""
    batch = len(x0)
    scheduler.set_timesteps(sampling_steps)
    abars = scheduler.alphas_cumprod
    chosen = torch.randint(sampling_steps, (batch,))
    xt, target = torch.empty(2, *x0.shape), torch.empty(2, *x0.shape)
    errors, timesteps = torch.ones(2, batch), torch.empty(batch, dtype=torch.long)
    synthetic = torch.randn_like(x0)
    real = None
    for i, t in enumerate(scheduler.timesteps):
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


BENCHMARKS = {"unet": bench_unet, "sample": bench_sample, "step": bench_step, "iteration": bench_iteration}

if __name__ == "__main__":
    main()

"""The benchmarks of `spin-diffusion bench`, done with PyTorch and diffusers on the same folder.

Needs torch, diffusers and transformers from PyPI, in an environment of their own; see bench/README.md. Eager mode, float32, all cores:
    python bench/pytorch.py step --model demo/base --batch 8
"""

import argparse
import json
import resource
import statistics
import time

import diffusers
import torch
from diffusers import DDIMScheduler, UNet2DConditionModel

from pytorch_iteration import bench_iteration
from pytorch_model import latent_shape, random_latents, random_states, sample_latents
from pytorch_step import bench_step

DEFAULT_REPEATS = {"unet": 10, "sample": 3, "step": 5, "iteration": 1}
DEFAULT_STEPS = {"unet": 1, "sample": 50, "step": 1, "iteration": 10}


def main():
    libraries = resident_memory("VmRSS")  # Before anything is loaded.
    options = parse_options()
    if options.threads:
        torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    started = time.perf_counter()
    unet = UNet2DConditionModel.from_pretrained(options.model, subfolder="unet")
    scheduler = DDIMScheduler.from_pretrained(options.model, subfolder="scheduler", clip_sample=False, steps_offset=1)
    parameters = sum(p.numel() for p in unet.parameters())
    warm_up, run = BENCHMARKS[options.bench](unet, scheduler, options)
    warm_up()
    setup = time.perf_counter() - started
    times = [timed(run) for _ in range(options.repeats)]
    print(
        json.dumps(
            {
                "bench": options.bench,
                "ms": round(statistics.median(times), 3),
                "peak_rss_mb": round(resident_memory("VmHWM"), 1),
                "libraries_rss_mb": round(libraries, 1),
                "all_ms": [round(ms, 3) for ms in times],
                "setup_ms": round(setup * 1000),
                "settings": {key: value for key, value in vars(options).items() if key not in ("bench", "model", "json")}
                | {"threads": torch.get_num_threads()},
                "parameters": parameters,
                "latent": latent_shape(unet),
                "runtime": runtime(),
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
    parser.add_argument("--lora", type=int, help="step, iteration: rank of adapters that are trained in place of the UNet")
    parser.add_argument("--form", choices=["trajectory", "renoised"], default="trajectory")
    parser.add_argument("--inputs", choices=["latents", "pictures"], default="latents")
    parser.add_argument("--samples", choices=["memory", "disk"], default="memory", help="iteration: what becomes of θ_k's")
    parser.add_argument("--tokens", type=int, default=77)
    parser.add_argument("--repeats", type=int)
    parser.add_argument("--threads", type=int)
    parser.add_argument("--json", action="store_true", help="accepted for likeness; the output is JSON anyway")
    options = parser.parse_args()
    if options.samples == "disk" and (options.form, options.inputs) != ("renoised", "pictures"):
        parser.error("--samples disk needs --form renoised and --inputs pictures")
    options.repeats = options.repeats or DEFAULT_REPEATS[options.bench]
    options.steps = options.steps or DEFAULT_STEPS[options.bench]
    return options


def runtime():
    """Versions; without accelerate, diffusers has a second copy of the weights in memory while it loads them."""
    loading = "with" if diffusers.utils.is_accelerate_available() else "without"
    return f"torch {torch.__version__}, diffusers {diffusers.__version__} {loading} accelerate"


def timed(run):
    started = time.perf_counter()
    run()
    return (time.perf_counter() - started) * 1000


def resident_memory(kind):
    """Memory of this process in MiB: VmRSS, what is resident now, or VmHWM, the most that was at any time."""
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith(kind + ":")) / 1024
    except OSError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


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
    run = lambda steps: sample_latents(unet, scheduler, start, states, steps, options.guidance)  # noqa: E731
    return lambda: run(min(2, options.steps)), lambda: run(options.steps)


BENCHMARKS = {"unet": bench_unet, "sample": bench_sample, "step": bench_step, "iteration": bench_iteration}

if __name__ == "__main__":
    main()

"""SPIN-Diffusion's optimiser step with PyTorch: the whole UNet, or low-rank adapters of its attention."""

import torch
import torch.nn.functional as F
from diffusers import UNet2DConditionModel

from pytorch_model import random_latents, random_states, squared_error

# In the space of ε, on means.
BETA = 1000
LORA_TARGETS = (".to_q", ".to_k", ".to_v", ".to_out.0")


def bench_step(unet, scheduler, options):
    step = TrainingStep(unet, options)
    latents = [random_latents(unet, options.batch) for _ in range(4)]
    t = ((torch.arange(options.batch) + 0.5) * scheduler.config.num_train_timesteps / options.batch).long()
    draws = {
        "xt": torch.cat(latents[:2]),
        "target": torch.cat(latents[2:]),
        "t": torch.cat([t, t]),
        "errors": torch.ones(2 * options.batch),
    }
    states = random_states(unet, options.batch, options)
    run = lambda: step(draws, states)  # noqa: E731
    return run, run


class TrainingStep:
    """Equation 4.9 on B real and B synthetic examples: forward, backward, clipping, AdamW.

    θ_k is evaluated in the step, or its errors come with the draws. Under LoRA it is the UNet with its adapters off, so there is no
    second copy of the weights.
    """

    def __init__(self, unet, options):
        self.unet = unet.train()
        self.adapters = add_lora(unet, options.lora) if options.lora else []
        self.is_evaluated = options.reference == "evaluated"
        # θ_k, which an iteration also samples with.
        self.frozen = None
        if self.adapters:
            self.frozen = self.without_adapters
        elif self.is_evaluated or options.bench == "iteration":
            self.frozen = frozen_unet(options)
        self.parameters = [p for p in unet.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(self.parameters, lr=1e-6, weight_decay=1e-2)

    def __call__(self, draws, states):
        both_states = torch.cat([states, states])
        reference = draws["errors"]
        if self.is_evaluated:
            with torch.no_grad():
                reference = squared_error(draws["target"], self.frozen(draws["xt"], draws["t"], both_states).sample)
        error = squared_error(draws["target"], self.unet(draws["xt"], draws["t"], both_states).sample)
        real, synthetic = (error - reference).chunk(2)
        loss = F.softplus(BETA * (real - synthetic)).mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.parameters, 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss.item()

    def without_adapters(self, *inputs):
        for adapter in self.adapters:
            adapter.enabled = False
        prediction = self.unet(*inputs)
        for adapter in self.adapters:
            adapter.enabled = True
        return prediction


def frozen_unet(options):
    unet = UNet2DConditionModel.from_pretrained(options.model, subfolder="unet")
    return unet.eval().requires_grad_(False)


class LoraLinear(torch.nn.Module):
    """W x + B A x (Hu et al. 2021), alpha = rank; A as torch draws a linear layer, B zeros."""

    def __init__(self, base, rank):
        super().__init__()
        self.base = base
        self.down = torch.nn.Linear(base.in_features, rank, bias=False)
        self.up = torch.nn.Linear(rank, base.out_features, bias=False)
        torch.nn.init.zeros_(self.up.weight)
        self.enabled = True

    def forward(self, x):
        return self.base(x) + self.up(self.down(x)) if self.enabled else self.base(x)


def add_lora(unet, rank):
    """Freezes the UNet and gives its attention layers adapters, which are returned."""
    unet.requires_grad_(False)
    names = [name for name, _ in unet.named_modules() if name.endswith(LORA_TARGETS)]
    adapters = []
    for name in names:
        parent, _, child = name.rpartition(".")
        adapters.append(LoraLinear(unet.get_submodule(name), rank))
        unet.get_submodule(parent)._modules[child] = adapters[-1]
    return adapters

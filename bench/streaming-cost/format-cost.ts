import type { IterationCost } from "./streaming-cost.js";

/** Most that streaming may cost, as a share of the iteration. */
const STREAMING_GOAL = 0.01;
/** Most that a trainer may wait for a generator that is the faster of the two. */
const WAITING_GOAL = 0.05;

/** An iteration's cost in lines for people, with the goals and whether they are reached. */
export function formatCost(cost: IterationCost): string {
  const { seconds, trainerComputes, generatorComputes, waited, streaming } = cost;
  const untraced = cost.untraced === 0 ? "" : ` (${cost.untraced} more left no trace)`;
  const title = `iteration ${cost.number} ${cost.iteration}: ${seconds.toFixed(2)} s, ${cost.steps} optimiser steps, ${cost.batches} batches of draws${untraced}, generators: ${cost.generators}`;
  const row = (name: string, value: number, note = "") =>
    `${name.padEnd(36)}${value.toFixed(3).padStart(10)} s ${((100 * value) / seconds).toFixed(2).padStart(7)} %${note}`;
  const isFaster = generatorComputes < trainerComputes;
  const waiting = isFaster ? goalNote(waited / seconds, WAITING_GOAL) : "  no goal: the generators are the slower ones";
  return [
    title,
    row("trainer computed", trainerComputes),
    row("generators computed, each", generatorComputes),
    row("trainer waited for draws", waited, waiting),
    row("  of it for the first draws", cost.waitedAtFirst),
    row("streaming, all batches", streaming, goalNote(streaming / seconds, STREAMING_GOAL)),
    row("  making messages", cost.encoding),
    row("  bringing them over", cost.handingOver),
    row("  reading and checking them", cost.takingIn),
    row("  while the trainer waited", cost.streamingWhileWaiting),
  ].join("\n");
}

function goalNote(share: number, goal: number): string {
  return `  goal: less than ${100 * goal} %, ${share < goal ? "reached" : "missed"}`;
}

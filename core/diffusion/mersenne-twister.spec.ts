import { createMersenneTwister } from "./mersenne-twister.js";

test("the 10,000th word under seed 5489 is the one the C++ standard demands", () => {
  const next = createMersenneTwister(5489);
  for (let i = 1; i < 10_000; i++) next();
  expect(next()).toBe(4123659995);
});

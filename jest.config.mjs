/** Jest in ESM mode: `node --experimental-vm-modules`; see test/support/environment.mjs for why an environment of our own. */
export default {
  testEnvironment: "./test/support/environment.mjs",
  extensionsToTreatAsEsm: [".ts"],
  moduleNameMapper: { "^(\\.{1,2}/.*)\\.js$": "$1" },
  transform: {
    "^.+\\.ts$": [
      "@swc/jest",
      { jsc: { parser: { syntax: "typescript" }, target: "es2022" }, module: { type: "es6" } },
    ],
  },
  testMatch: ["**/*.spec.ts"],
  modulePathIgnorePatterns: ["<rootDir>/dist/"],
  testTimeout: 120_000,
  maxWorkers: 2,
};

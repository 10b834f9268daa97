import { address, addresses, port, readConfig, setting, text, wholeNumber } from "./config.js";

const settings = {
  port: setting("SPIN_PORT", port.prefault("50051")),
  trainerAddress: setting("SPIN_TRAINER", address),
  generators: setting("SPIN_GENERATORS", addresses.prefault("127.0.0.1:50051")),
  dataFolder: setting("DATA_DIR", text.optional()),
};
const env = { SPIN_TRAINER: "trainer:50052" };

describe("readConfig", () => {
  it("takes flags before the environment, the environment before defaults, and an empty text for none", () => {
    expect(readConfig(settings, {}, env)).toEqual({
      port: 50051,
      trainerAddress: "trainer:50052",
      generators: ["127.0.0.1:50051"],
      dataFolder: undefined,
    });
    const more = { ...env, SPIN_PORT: "1", SPIN_GENERATORS: "a:1, [::1]:2", DATA_DIR: "" };
    expect(readConfig(settings, { port: "2" }, more)).toMatchObject({
      port: 2,
      generators: ["a:1", "[::1]:2"],
      dataFolder: undefined,
    });
  });

  it("tells every wrong setting's variable or flag, what was expected and what came", () => {
    const read = () =>
      readConfig(settings, { trainerAddress: "nowhere" }, { SPIN_PORT: "65536", SPIN_GENERATORS: "a:1,b" });
    expect(read).toThrow(
      expect.objectContaining({
        kind: "invalid",
        details: { field: "SPIN_PORT" },
        message:
          'configuration: SPIN_PORT: expected a whole number from 0 to 65535, got "65536"; ' +
          '--trainer-address: expected an address, as host:port, got "nowhere"; ' +
          'SPIN_GENERATORS: expected addresses between commas, as host:port, got "a:1,b"',
      }),
    );
  });

  it("asks for what is missing and has no default", () => {
    expect(() => readConfig(settings, {}, {})).toThrow("SPIN_TRAINER: expected an address, as host:port, got nothing");
  });

  it.each(["1.5", "1e3", "0x10", " 1", "", "-1", "eleven"])("takes %p for no whole number from 0 to 10", (value) => {
    expect(wholeNumber(0, 10).safeParse(value).success).toBe(false);
  });
});

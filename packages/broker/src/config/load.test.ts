import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { limitNames, limitTable } from "./limit-table.ts";
import { defaultLimits } from "./limits.ts";
import { type ConfigSources, formatConfigProblem, loadConfig } from "./load.ts";
import type { ServeConfig } from "./serve-config.ts";
import { flagOf, serveOptions, variableOf } from "./serve-options.ts";

function load(sources: Partial<ConfigSources>): ReturnType<typeof loadConfig> {
  return loadConfig({ options: {}, env: {}, ...sources });
}

function configOf(sources: Partial<ConfigSources>): ServeConfig {
  const loaded = load(sources);
  if ("problems" in loaded) throw new Error(loaded.problems.map(formatConfigProblem).join("\n"));
  return loaded.config;
}

function problemsOf(sources: Partial<ConfigSources>): string[] {
  const loaded = load(sources);
  return "problems" in loaded ? loaded.problems.map(formatConfigProblem) : [];
}

describe("loadConfig", () => {
  it("needs nothing", () => {
    const loaded = load({ file: "# nothing\n" });
    expect(loaded).toMatchObject({
      config: {
        data: "./mess-data",
        listen: "127.0.0.1",
        mqttPort: 8_883,
        httpPort: 8_443,
        hostNames: [],
        insecureDev: false,
        logLevel: "info",
        limits: defaultLimits,
      },
    });
    const config = configOf({});
    for (const key of ["mqttsPort", "tlsCert", "tlsKey", "kekFile", "kekFd", "kekCommand", "policyFile"]) {
      expect(config).not.toHaveProperty(key);
    }
    if ("origins" in loaded) expect(new Set(loaded.origins.values())).toEqual(new Set(["default"]));
  });

  it("has other ports for insecureDev", () => {
    expect(configOf({ options: { insecureDev: true } })).toMatchObject({ mqttPort: 1_883, httpPort: 8_080 });
    expect(configOf({ options: { insecureDev: true, mqttPort: "0" }, env: { MESS_HTTP_PORT: "0" } })).toMatchObject({
      mqttPort: 0,
      httpPort: 0,
    });
  });

  it("takes every setting from every source", () => {
    const expected: Partial<ServeConfig> = {
      data: "d",
      listen: "::1",
      mqttPort: 1,
      httpPort: 2,
      mqttsPort: 3,
      hostNames: ["a.example", "192.0.2.1"],
      tlsCert: "c.pem",
      tlsKey: "k.pem",
      kekFd: 3,
      insecureDev: true,
      policyFile: "p.toml",
      logLevel: "debug",
    };
    const file = `data = "d"
listen = "::1"
mqttPort = 1
httpPort = 2
mqttsPort = 3
hostNames = ["a.example", "192.0.2.1"]
tlsCert = "c.pem"
tlsKey = "k.pem"
kekFd = 3
insecureDev = true
policyFile = "p.toml"
logLevel = "debug"
`;
    const env = {
      MESS_DATA: "d",
      MESS_LISTEN: "::1",
      MESS_MQTT_PORT: "1",
      MESS_HTTP_PORT: "2",
      MESS_MQTTS_PORT: "3",
      MESS_HOST_NAME: "a.example, 192.0.2.1",
      MESS_TLS_CERT: "c.pem",
      MESS_TLS_KEY: "k.pem",
      MESS_KEK_FD: "3",
      MESS_INSECURE_DEV: "1",
      MESS_POLICY_FILE: "p.toml",
      MESS_LOG_LEVEL: "debug",
    };
    const options = { ...expected, hostNames: undefined, hostName: expected.hostNames, config: "mess.toml" };
    for (const sources of [{ file }, { env }, { options }]) expect(configOf(sources)).toMatchObject(expected);
    expect(configOf({ env: { MESS_KEK_FILE: "x" } }).kekFile).toBe("x");
    expect(configOf({ options: { kekCommand: "x y" } }).kekCommand).toBe("x y");
  });

  it("puts the command line before the environment before the file, and tells where from", () => {
    const present = fc.record({ file: fc.boolean(), env: fc.boolean(), options: fc.boolean() });
    fc.assert(
      fc.property(present, present, (port, limit) => {
        const loaded = load({
          file: `${port.file ? "mqttPort = 1\n" : ""}${limit.file ? '[limits]\npacketBytesMax = "101KiB"\n' : ""}`,
          env: {
            ...(port.env ? { MESS_MQTT_PORT: "2" } : {}),
            ...(limit.env ? { MESS_LIMITS__PACKET_BYTES_MAX: "102KiB" } : {}),
          },
          options: {
            ...(port.options ? { mqttPort: "3" } : {}),
            ...(limit.options ? { limits: { packetBytesMax: "103KiB" } } : {}),
          },
        });
        if ("problems" in loaded) throw new Error("refused");
        const pick = <T>(from: typeof port, values: [T, T, T, T]): T =>
          values[from.options ? 0 : from.env ? 1 : from.file ? 2 : 3];
        expect(loaded.config.mqttPort).toBe(pick(port, [3, 2, 1, 8_883]));
        expect(loaded.config.limits.packetBytesMax).toBe(pick(limit, [103, 102, 101, 1_024]) * 1_024);
        expect(loaded.origins.get("mqttPort")).toBe(
          pick(port, ["option --mqtt-port", "environment MESS_MQTT_PORT", "file", "default"]),
        );
        expect(loaded.origins.get("limits.packetBytesMax")).toBe(
          pick(limit, ["option limits", "environment MESS_LIMITS__PACKET_BYTES_MAX", "file", "default"]),
        );
      }),
    );
  });

  it.each<[Partial<ConfigSources>, RegExp]>([
    [{ file: "mqttport = 1" }, /mqttport \(file\): there is no setting mqttport; did you mean mqttPort\?/],
    [{ file: "[limit]\nx = 1" }, /did you mean limits/],
    [{ file: "[limits]\npacketByteMax = 1" }, /limits\.packetByteMax \(file\).*did you mean packetBytesMax/],
    [{ file: "limits = 1" }, /limits \(file\): is a table/],
    [{ file: "__proto__ = 1" }, /no setting|no TOML/],
    [{ file: "[limits]\n__proto__ = 1" }, /no setting|no TOML/],
    [{ file: "[limits]\nconstructor = 1" }, /no setting/],
    [{ file: "\n\nmqttPort = = 1" }, /file: is no TOML: line 3, column/],
    [{ file: 'mqttPort = "1883"' }, /mqttPort \(file\): is a whole number/],
    [{ file: "mqttPort = 1.5" }, /whole number/],
    [{ file: "insecureDev = 1" }, /true or false/],
    [{ file: 'hostNames = "a"' }, /array/],
    [{ env: { MESS_MQTT_PROT: "1" } }, /environment MESS_MQTT_PROT.*did you mean MESS_MQTT_PORT/],
    [{ env: { MESS_KEK: "x" } }, /there is no setting MESS_KEK/],
    [{ env: { MESS_LIMITS_PACKET_BYTES_MAX: "1" } }, /did you mean MESS_LIMITS__PACKET_BYTES_MAX/],
    [{ env: { MESS_POLICY_FILE: "" } }, /policyFile \(environment MESS_POLICY_FILE\): is empty/],
    [{ env: { MESS_INSECURE_DEV: "yes" } }, /true or false/],
    [{ env: { MESS_MQTT_PORT: "0x10" } }, /whole number/],
    [{ env: { MESS_LOG_LEVEL: "loud" } }, /is one of fatal/],
    [{ env: { MESS_HOST_NAME: "a,,b" } }, /hostNames \(environment MESS_HOST_NAME\): is empty/],
    [{ options: { mqttPorts: "1" } }, /did you mean mqttPort/],
    [{ options: { mqttPort: "65536" } }, /mqttPort \(option --mqtt-port\): is a whole number from 0 to 65535/],
    [{ options: { mqttPort: "-1" } }, /whole number/],
    [{ options: { mqttPort: null } }, /whole number/],
    [{ options: { data: "a\u0000b" } }, /zero character/],
    [{ options: { data: 1 } }, /is text/],
    [{ options: { listen: "not a host" } }, /host name/],
    [{ options: { hostName: ["ok", "-x"] } }, /hostNames \(option --host-name\)/],
    [{ options: { kekFd: "1" } }, /file descriptor/],
    [{ options: { tlsCert: "c" } }, /tlsCert \(option --tls-cert\): is given without tlsKey/],
    [{ options: { tlsKey: "c" } }, /without tlsCert/],
    [{ options: { mqttsPort: "1" } }, /only for insecureDev/],
    [{ options: { insecureDev: true, mqttsPort: "1" } }, /needs tlsCert/],
    [{ options: { insecureDev: true, tlsCert: "c", tlsKey: "k" } }, /would not be used/],
    [{ options: { clientCrl: "c" } }, /clientCrl \(option --client-crl\): is given without clientCa/],
    [{ options: { insecureDev: true, clientCa: "c" } }, /nobody is authenticated/],
    [{ options: { kekFd: "3" }, env: { MESS_KEK_FILE: "x" } }, /kekFd \(option --kek-fd\): and kekFile both/],
    [{ options: { mqttPort: "5", httpPort: "5" } }, /same port as mqttPort/],
    [
      { file: '[limits]\npacketBytesMax = "8KiB"' },
      /connectPacketBytesMax \(default\): is greater than packetBytesMax/,
    ],
    [{ file: '[limits]\nsegmentBytes = "1MiB"' }, /limits\.segmentBytes \(file\): is too small/],
    [{ file: '[limits]\nsegmentBytes = "1GiB"\ndiskBytesMax = "3GiB"' }, /diskBytesMax \(file\): is less than 4/],
  ])("refuses %j", (sources, text) => {
    expect(problemsOf(sources).join("\n")).toMatch(text);
  });

  it("tells everything that is wrong at once", () => {
    const found = problemsOf({ file: "mqttPort = -1\nx = 1", env: { MESS_Y: "1" }, options: { httpPort: "z" } });
    expect(found).toHaveLength(4);
  });

  it("leaves other programs' variables alone", () => {
    const env = {
      MESS_URL: "x",
      MESS_KEY: "x",
      MESS_KEY_FILE: "x",
      MESS_CONFIG: "x",
      MESS_PORT: "tcp://192.0.2.1:8883",
      MESS_PORT_8883_TCP: "x",
      MESS_SERVICE_HOST: "x",
      MESS_CMD: "x",
      PATH: "x",
      mess_x: "x",
    };
    expect(problemsOf({ env })).toEqual([]);
  });

  it("shows no value of any setting in its errors", () => {
    const secret = "mess_SECRETsecretSECRET";
    const values: unknown[] = [`${secret}\u0000`, [secret, `-${secret}!`], 1e9, ""];
    for (const value of values) {
      for (const option of serveOptions) {
        expect(problemsOf({ options: { [option.optionKey]: value } }).join()).not.toContain("SECRET");
      }
    }
    for (const name of limitNames) {
      const env = { [variableOf("limits", name)]: secret };
      const found = problemsOf({ env, file: `[limits]\n${name} = "${secret}"` });
      expect(found.length).toBeGreaterThan(0);
      expect(found.join()).not.toContain("SECRET");
    }
    expect(problemsOf({ file: `kekCommand = ${secret}` }).join()).not.toContain("SECRET");
  });
});

describe("insecureDev (LESSONS 10)", () => {
  const listen = fc.constantFrom(
    undefined,
    "127.0.0.1",
    "127.9.9.9",
    "::1",
    "::ffff:127.0.0.1",
    "localhost",
    "0.0.0.0",
    "::",
    "192.0.2.1",
  );
  const loopback = [undefined, "127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "localhost"];

  it("never goes with an address that others reach, wherever the two come from", () => {
    const source = fc.constantFrom("file", "env", "options");
    fc.assert(
      fc.property(listen, source, fc.option(source, { nil: undefined }), fc.boolean(), (address, from, dev, order) => {
        const lines: string[] = [];
        const env: Record<string, string> = {};
        const options: Record<string, unknown> = {};
        if (address !== undefined) {
          if (from === "file") lines.push(`listen = "${address}"`);
          if (from === "env") env["MESS_LISTEN"] = address;
          if (from === "options") options["listen"] = address;
        }
        if (dev === "file") lines.push("insecureDev = true");
        if (dev === "env") env["MESS_INSECURE_DEV"] = "true";
        if (dev === "options") options["insecureDev"] = true;
        const loaded = load({ file: (order ? lines : lines.reverse()).join("\n"), env, options });
        const refused = dev !== undefined && !loopback.includes(address);
        expect("problems" in loaded).toBe(refused);
        if ("config" in loaded) expect(loaded.config.insecureDev).toBe(dev !== undefined);
      }),
      { numRuns: 500 },
    );
  });

  it.each(["127.0.0.1.evil.example", "127.example", "localhost.example", "::ffff:192.0.2.1", "[::1]"])(
    "does not take %s for loopback",
    (address) => {
      expect(problemsOf({ options: { insecureDev: true, listen: address } })).not.toEqual([]);
    },
  );
});

describe("limits", () => {
  it("have defaults inside their range", () => {
    expect([...limitNames].sort()).toEqual(Object.keys(defaultLimits).sort());
    for (const name of limitNames) {
      const { min, max } = limitTable[name];
      expect([name, defaultLimits[name] >= min && defaultLimits[name] <= max]).toEqual([name, true]);
    }
  });

  it.each(limitNames.map((name) => [name, limitTable[name]] as const))("%s is held to its range", (name, row) => {
    const found = (value: number): string => problemsOf({ options: { limits: { [name]: value } } }).join();
    expect(found(row.min - 1)).toMatch(new RegExp(`limits\\.${name} \\(option limits\\): is out of range`));
    expect(found(row.max + 1)).toMatch(/is out of range/);
    expect(found(row.min)).not.toMatch(/out of range/);
    expect(found(row.max)).not.toMatch(/out of range/);
    for (const value of [1.5, Number.NaN, Infinity, "x", null, true, [], "1e9"]) {
      expect(problemsOf({ options: { limits: { [name]: value } } }).join()).toMatch(/is no /);
    }
  });

  it("take units of their own kind only", () => {
    const limits = (text: string): ServeConfig["limits"] => configOf({ file: `[limits]\n${text}` }).limits;
    expect(limits('sessionExpirySecondsMax = "7d"').sessionExpirySecondsMax).toBe(604_800);
    expect(limits('connectDeadlineMs = "2s"').connectDeadlineMs).toBe(2_000);
    expect(limits("keepAliveSecondsMax = 60").keepAliveSecondsMax).toBe(60);
    for (const text of [
      'sessionExpirySecondsMax = "7MiB"',
      'packetBytesMax = "1h"',
      'inFlightMax = "1kB"',
      'keepAliveSecondsMax = "1500ms"',
    ]) {
      expect(problemsOf({ file: `[limits]\n${text}` }).join()).toMatch(/is no /);
    }
    expect(configOf({ env: { MESS_LIMITS__IN_FLIGHT_MAX: "12" } }).limits.inFlightMax).toBe(12);
  });
});

describe("names of settings", () => {
  it("are one name in three spellings", () => {
    const host = serveOptions.find((option) => option.name === "hostNames");
    expect(host && [flagOf(host), variableOf(host.optionKey)]).toEqual(["--host-name", "MESS_HOST_NAME"]);
    const dev = serveOptions.find((option) => option.name === "insecureDev");
    expect(dev && [flagOf(dev), variableOf(dev.optionKey)]).toEqual(["--insecure-dev", "MESS_INSECURE_DEV"]);
    expect(variableOf("limits", "packetBytesMax")).toBe("MESS_LIMITS__PACKET_BYTES_MAX");
  });
});

describe("without code generation (LESSONS 38)", () => {
  it("loads and refuses as ever", () => {
    const script = `
      let blocked = false;
      try { new Function("return 1"); } catch { blocked = true; }
      let tried = 0;
      globalThis.Function = new Proxy(Function, { construct() { tried++; throw new Error("no code generation"); } });
      const { loadConfig } = await import(${JSON.stringify(new URL("./load.ts", import.meta.url).href)});
      const limits = { packetBytesMax: "2MiB", outboundBytesMax: "2MiB" };
      const good = loadConfig({ options: { limits }, env: {}, file: "# nothing" });
      const bad = loadConfig({ options: { mqttPort: "x" }, env: {} });
      const size = good.config.limits.packetBytesMax;
      console.log(JSON.stringify({ blocked, tried, size, bad: bad.problems.length }));
    `;
    const run = spawnSync(
      process.execPath,
      ["--disallow-code-generation-from-strings", "--import", "tsx", "--input-type=module", "--eval", script],
      { encoding: "utf8", timeout: 25_000 },
    );
    expect(run.stderr).toBe("");
    expect(JSON.parse(run.stdout)).toEqual({ blocked: true, tried: 0, size: 2_097_152, bad: 1 });
  });
});

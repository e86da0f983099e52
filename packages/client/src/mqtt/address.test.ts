import { describe, expect, it } from "vitest";
import { MessError } from "../mess-error.ts";
import { isLoopback, parseAddress } from "./address.ts";

describe("parseAddress", () => {
  it.each([
    ["mqtt://localhost", { secure: false, host: "localhost", port: 1883, loopback: true }],
    ["mqtts://broker.example", { secure: true, host: "broker.example", port: 8883, loopback: false }],
    ["mqtts://broker.example:1/", { secure: true, host: "broker.example", port: 1 }],
    ["ssl://10.0.0.1:9", { secure: true, host: "10.0.0.1", port: 9 }],
    ["tcp://[::1]:9", { secure: false, host: "::1", port: 9, loopback: true }],
    ["mqtt+ssl://x", { secure: true, host: "x", port: 8883 }],
    ["ws://localhost:9001", { secure: false, webSocket: true, port: 9001, path: "/mqtt" }],
    ["wss://u:p@host/broker?x=1", { secure: true, webSocket: true, port: 443, path: "/broker?x=1", username: "u" }],
    ["mqtts://a%2Fb:p%40w@host", { username: "a/b", password: "p@w" }],
  ])("reads %s", (url, expected) => {
    expect(parseAddress(url)).toMatchObject(expected);
  });

  it.each([
    ["", /not a URL/u],
    ["localhost:1883", /not a URL/u],
    ["broker.example", /not a URL/u],
    ["http://broker.example", /scheme http:/u],
    ["constructor://x", /scheme constructor:/u],
    ["mqtts://host/topic", /no path/u],
    ["mqtts://host?x=1", /no path/u],
    ["wss://host/mqtt#x", /no path/u],
    ["mqtts://%ff@host", /percent-encoding/u],
  ])("refuses %s", (url, message) => {
    expect(() => parseAddress(url)).toThrow(message);
    expect(() => parseAddress(url)).toThrow(MessError);
  });

  it("does not repeat an address that may hold a password", () => {
    expect(() => parseAddress("mqtts//user:hunter2@host")).toThrow(/^the address is not a URL$/u);
  });
});

describe("isLoopback", () => {
  it("trusts addresses and localhost, not names that look like them", () => {
    expect(["localhost", "127.0.0.1", "127.9.9.9", "::1"].map(isLoopback)).toEqual([true, true, true, true]);
    expect(["127.0.0.1.example", "localhost.example", "128.0.0.1", "::2", "10.0.0.1"].some(isLoopback)).toBe(false);
  });
});

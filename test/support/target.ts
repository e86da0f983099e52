/**
 * Which server the black-box tests judge. `MESS_TEST_TARGET=mosquitto` runs the standard's own tests against
 * Debian's mosquitto, to see that the tests themselves are sound.
 */
export type Target = "mess" | "mosquitto";

export const target: Target = process.env["MESS_TEST_TARGET"] === "mosquitto" ? "mosquitto" : "mess";

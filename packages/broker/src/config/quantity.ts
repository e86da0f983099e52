/** The spelling of configuration; policies spell the same way. */
export { formatDuration, formatSize, parseDuration, parseSize } from "../model/quantity.ts";

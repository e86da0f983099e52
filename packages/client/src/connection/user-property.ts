import type { Properties } from "@mess/wire";

/** The first user property of that name. */
export function userProperty(properties: Properties | undefined, name: string): string | undefined {
  return properties?.userProperties?.find(([key]) => key === name)?.[1];
}

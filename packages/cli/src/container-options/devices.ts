import { posix } from "node:path";
import { Failure } from "../failure.ts";

/** A host device in a container, as the engine takes it. */
export interface DeviceMapping {
  readonly PathOnHost: string;
  readonly PathInContainer: string;
  readonly CgroupPermissions: string;
}

function isMode(text: string): boolean {
  return /^[rwm]{1,3}$/.test(text) && new Set(text).size === text.length;
}

/** `vendor.com/class=name`: a device of the container device interface. */
export function isQualifiedDevice(text: string): boolean {
  return /^[A-Za-z][A-Za-z0-9_.-]*\/[A-Za-z0-9][A-Za-z0-9_.-]*=[A-Za-z0-9][A-Za-z0-9_.:-]*$/.test(text);
}

/** `HOST[:CONTAINER][:rwm]`. @throws Failure naming what is wrong */
export function parseDevice(text: string): DeviceMapping {
  const parts = text.split(":");
  const [host = "", second, third] = parts;
  if (parts.length > 3 || host === "") throw new Failure(`bad format for path: ${text}`);
  const secondIsMode = second !== undefined && third === undefined && isMode(second);
  const inside = second === undefined || secondIsMode ? host : second;
  if (third !== undefined && !isMode(third)) throw new Failure(`bad mode specified: ${third}`);
  if (!posix.isAbsolute(inside)) throw new Failure(`${inside} is not an absolute path`);
  return {
    PathOnHost: inside === host ? posix.normalize(host) : host,
    PathInContainer: posix.normalize(inside),
    CgroupPermissions: third ?? (secondIsMode ? second : "rwm"),
  };
}

import { isIP } from "node:net";
import { FlagError } from "../failure.ts";

/** Checks of single flag values; each returns what goes to the engine. */

/** An IP address in its shortest form. */
export function checkAddress(value: string): string {
  const text = value.trim();
  switch (isIP(text)) {
    case 4:
      return text;
    case 6:
      // The URL parser knows the shortest form; zones do not belong here.
      return new URL(`http://[${text.replace(/%.*$/, "")}]`).hostname.slice(1, -1);
    default:
      throw new FlagError(`IP address is not correctly formatted: ${value}`);
  }
}

const DOMAIN =
  /^(([a-zA-Z0-9]|([a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))(\.([a-zA-Z0-9]|([a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])))*)\.?\s*$/;

/** A domain to search names in; `.` for none. */
export function checkSearchDomain(value: string): string {
  const text = value.trim();
  if (text === ".") return text;
  const domain = /[a-zA-Z]/.test(text) ? DOMAIN.exec(text)?.[1] : undefined;
  if (domain === undefined || domain.length >= 255) throw new FlagError(`${text} is not a valid domain`);
  return domain;
}

/** `NAME=VALUE`, or `NAME` for the value that this process has. */
export function environmentChecker(env: NodeJS.ProcessEnv): (value: string) => string {
  return (value) => {
    const name = value.split("=", 1)[0] ?? "";
    if (name === "") throw new FlagError(`invalid environment variable: ${value}`);
    const own = env[name];
    return value.includes("=") || own === undefined ? value : `${name}=${own}`;
  };
}

/** `HOST:IP` or `HOST=IP`; the address may stand in brackets. */
export function checkExtraHost(value: string): string {
  const separator = value.includes("=") ? "=" : ":";
  const at = value.indexOf(separator);
  const host = value.slice(0, Math.max(at, 0));
  if (host === "" || host.includes(":")) throw new FlagError(`bad format for add-host: ${JSON.stringify(value)}`);
  const address = value.slice(at + 1).replace(/^\[(.+)\]$/, "$1");
  if (address !== "host-gateway" && isIP(address) === 0) {
    throw new FlagError(`invalid IP address in add-host: ${JSON.stringify(address)}`);
  }
  return `${host}:${address}`;
}

export function checkLabel(value: string): string {
  const key = (value.split("=", 1)[0] ?? "").replace(/^[ \t]+/, "");
  if (key === "") throw new FlagError(`invalid label '${value}': empty name`);
  if (/[ \t]/.test(key)) throw new FlagError(`label '${key}' contains whitespaces`);
  return value;
}

export function checkLink(value: string): string {
  if (value === "") throw new FlagError("empty string specified for links");
  if (value.split(":").length > 2) throw new FlagError(`bad format for links: ${value}`);
  return value;
}

export function checkStream(value: string): string {
  const stream = value.toLowerCase();
  if (!["stdin", "stdout", "stderr"].includes(stream)) {
    throw new FlagError("valid streams are STDIN, STDOUT and STDERR");
  }
  return stream;
}

const SYSCTLS: ReadonlySet<string> = new Set([
  "kernel.msgmax",
  "kernel.msgmnb",
  "kernel.msgmni",
  "kernel.sem",
  "kernel.shmall",
  "kernel.shmmax",
  "kernel.shmmni",
  "kernel.shm_rmid_forced",
]);

/** Only parameters that belong to a namespace can be set in a container. */
export function checkSysctl(value: string): void {
  const at = value.indexOf("=");
  const name = value.slice(0, Math.max(at, 0));
  if (!SYSCTLS.has(name) && !name.startsWith("net.") && !name.startsWith("fs.mqueue.")) {
    throw new FlagError(`sysctl '${value}' is not allowed`);
  }
}

export function checkDeviceRule(value: string): string {
  if (!/^[acb] ([0-9]+|\*):([0-9]+|\*) [rwm]{1,3}$/.test(value)) {
    throw new FlagError(`invalid device cgroup format '${value}'`);
  }
  return value;
}

/** Whether a text is a MAC address of six or eight bytes. */
export function isMacAddress(text: string): boolean {
  return /^([0-9a-fA-F]{2}([:-])[0-9a-fA-F]{2}(\2[0-9a-fA-F]{2}){4}(\2[0-9a-fA-F]{2}){0,2}|([0-9a-fA-F]{4}\.){2,3}[0-9a-fA-F]{4})$/.test(
    text.trim(),
  );
}

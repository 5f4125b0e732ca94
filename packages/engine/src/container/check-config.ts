import { isIP } from "node:net";
import { InvalidArgument } from "@boxship/base";
import type { ContainerConfig, HostConfig } from "./config.ts";
import { parseSignal } from "./container-kill.ts";
import { extraHosts } from "./start-network.ts";

/** What Linux keeps of a host name. */
const LONGEST_HOSTNAME = 64;
const LONGEST_PATH = 4095;
const LONGEST_NAME = 255;

function refuse(kind: string, name: string, message: string, remedy?: string): never {
  throw new InvalidArgument(message, { subject: { kind, name }, ...(remedy === undefined ? {} : { remedy }) });
}

/** Refuses what of a container's configuration no kernel takes, in Docker's words where it has them. @throws InvalidArgument */
export function checkConfig(config: ContainerConfig): void {
  for (const entry of config.env ?? []) {
    if (entry === "" || entry.startsWith("=")) refuse("option", "--env", `invalid environment variable: ${entry}`);
  }
  checkHostname(config.hostname ?? "");
  checkWorkingDir(config.workingDir ?? "");
  if (config.stopSignal !== undefined && parseSignal(config.stopSignal) === 0) {
    refuse("signal", config.stopSignal, `Invalid signal: ${config.stopSignal}`);
  }
  const mac = config.macAddress ?? "";
  if (mac !== "" && !/^[0-9a-f]{2}(?:([:-])[0-9a-f]{2})(?:\1[0-9a-f]{2}){4}$/i.test(mac)) {
    refuse("option", "--mac-address", `address ${mac}: invalid MAC address`);
  }
}

function checkHostname(hostname: string): void {
  const length = Buffer.byteLength(hostname);
  if (length <= LONGEST_HOSTNAME) return;
  refuse(
    "option",
    "--hostname",
    `invalid hostname: ${hostname.slice(0, 16)}… has ${length} bytes, Linux takes ${LONGEST_HOSTNAME}`,
    "choose a shorter one, and give the domain with --domainname",
  );
}

function checkWorkingDir(path: string): void {
  if (path === "") return;
  if (!path.startsWith("/")) {
    refuse("option", "--workdir", `the working directory '${path}' is invalid, it needs to be an absolute path`);
  }
  const names = path.split("/").map((name) => Buffer.byteLength(name));
  if (Buffer.byteLength(path) <= LONGEST_PATH && Math.max(...names) <= LONGEST_NAME) return;
  refuse(
    "option",
    "--workdir",
    `the working directory '${path.slice(0, 32)}…' is invalid: it is longer than a path may be`,
  );
}

/** Refuses names and addresses that resolvers could not read. @throws InvalidArgument */
export function checkNames(hostConfig: HostConfig): void {
  for (const { name, address } of extraHosts(hostConfig)) {
    if (address !== "host-gateway" && isIP(address) === 0) {
      refuse("host", name, `invalid IP address in add-host: ${JSON.stringify(address)}`);
    }
  }
  for (const server of hostConfig.dns ?? []) {
    if (isIP(server.replace(/%.*$/, "")) === 0)
      refuse("option", "--dns", `invalid IP address of a DNS server: ${server}`);
  }
  const single = { "--dns-search": hostConfig.dnsSearch, "--dns-option": hostConfig.dnsOptions };
  for (const [flag, words = []] of Object.entries(single)) {
    const bad = words.find((word) => word === "" || /\s/.test(word));
    if (bad !== undefined)
      refuse("option", flag, `invalid ${flag.slice(2)} ${JSON.stringify(bad)}: it must be one word`);
  }
}

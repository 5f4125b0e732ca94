import { createHash, randomBytes } from "node:crypto";
import { InvalidArgument } from "@boxship/base";

/**
 * Names of the things of one instance in the kernel. Links have at most 15 bytes and begin with {@link linkPrefix}:
 *
 *     <prefix>0          the default bridge
 *     <prefix>-<hex>     the bridge of another network
 *     <prefix>v<hex>     the host's end of a container's interface
 *     <prefix>p<hex>     a dummy parent of a macvlan or ipvlan network
 */

const LINK_NAME_BYTES = 15;

/** Throws {@link InvalidArgument} for a name that cannot begin the names of links and tables. */
export function checkInstanceName(name: string): string {
  if (!/^[a-z][a-z0-9-]{0,31}$/.test(name)) {
    throw new InvalidArgument(`${JSON.stringify(name)} cannot name an instance`, {
      remedy: "use 1 to 32 of a-z, 0-9 and -, beginning with a letter",
    });
  }
  return name;
}

/** What all links of an instance begin with: its name, or for a long one its start and a hash, 8 characters at most. */
export function linkPrefix(instance: string): string {
  if (instance.length <= 8) return instance;
  return instance.slice(0, 4) + createHash("sha256").update(instance).digest("hex").slice(0, 4);
}

export function defaultBridgeName(instance: string): string {
  return `${linkPrefix(instance)}0`;
}

export function bridgeName(instance: string, networkId: string): string {
  return fill(`${linkPrefix(instance)}-`, networkId);
}

export function parentName(instance: string, networkId: string): string {
  return fill(`${linkPrefix(instance)}p`, networkId);
}

/** A new random name for the host's end of a veth. */
export function vethName(instance: string): string {
  return fill(`${linkPrefix(instance)}v`, randomBytes(8).toString("hex"));
}

function fill(prefix: string, hex: string): string {
  return prefix + hex.slice(0, LINK_NAME_BYTES - prefix.length);
}

/** Whether a link's name is one that only this instance gives. */
export function isOwnLinkName(instance: string, name: string): boolean {
  const prefix = linkPrefix(instance);
  if (!name.startsWith(prefix)) return false;
  const rest = name.slice(prefix.length);
  const digits = LINK_NAME_BYTES - prefix.length - 1;
  return rest === "0" || (/^[-vp][0-9a-f]+$/.test(rest) && rest.length === digits + 1);
}

/** What a link of ours has as its alias, whatever it is called. */
export function linkAlias(instance: string, networkId: string): string {
  return `${instance}/${networkId}`;
}

/** Whether a link's alias is one of this instance. */
export function isOwnAlias(instance: string, alias: string | undefined): boolean {
  return alias?.startsWith(`${instance}/`) === true;
}

/** An address for a container's interface that goes with its IPv4 address, so that caches stay right when it returns. */
export function macForAddress(bytes: Uint8Array): string {
  const tail = bytes.length === 4 ? bytes : createHash("sha256").update(bytes).digest().subarray(0, 4);
  return ["02", "42", ...[...tail].map((byte) => byte.toString(16).padStart(2, "0"))].join(":");
}

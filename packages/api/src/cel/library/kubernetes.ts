import { BlockList, isIP } from "node:net";
import {
  addQuantities,
  formatQuantity,
  parseQuantity,
  type Quantity,
  quantityNumber,
  subtractQuantities,
} from "../../object/quantity.ts";
import {
  dns1035Label,
  dnsLabel,
  dnsSubdomain,
  labelValue,
  type NameRule,
  qualifiedName,
} from "../../validation/names.ts";
import type { Library } from "../functions.ts";
import { CelError } from "../syntax.ts";
import { Opaque, Optional, parseTimestamp, type Value } from "../values.ts";

const fail = (message: string): never => {
  throw new CelError(message, 0);
};

const QUANTITY = "kubernetes.Quantity";

const quantityOf = (amount: Quantity): Opaque =>
  new Opaque(QUANTITY, amount, formatQuantity({ ...amount, format: "DecimalSI" }));
const nano = (value: Opaque): bigint => (value.inner as Quantity).nano;
const whole = (value: Opaque): boolean => nano(value) % 1_000_000_000n === 0n;
const units = (amount: bigint): Quantity => ({ nano: amount * 1_000_000_000n, format: "DecimalSI" });

const QUANTITIES: Library = {
  "isQuantity(string): bool": (text: string) => parseQuantity(text) !== undefined,
  "quantity(string): kubernetes.Quantity": (text: string) =>
    quantityOf(
      parseQuantity(text) ??
        fail("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"),
    ),
  "kubernetes.Quantity.sign(): int": (a: Opaque) => (nano(a) > 0n ? 1n : nano(a) < 0n ? -1n : 0n),
  "kubernetes.Quantity.isInteger(): bool": whole,
  "kubernetes.Quantity.asInteger(): int": (a: Opaque) =>
    whole(a) ? nano(a) / 1_000_000_000n : fail("cannot convert value to integer"),
  "kubernetes.Quantity.asApproximateFloat(): double": (a: Opaque) => quantityNumber(a.inner as Quantity),
  "kubernetes.Quantity.isGreaterThan(kubernetes.Quantity): bool": (a: Opaque, b: Opaque) => nano(a) > nano(b),
  "kubernetes.Quantity.isLessThan(kubernetes.Quantity): bool": (a: Opaque, b: Opaque) => nano(a) < nano(b),
  "kubernetes.Quantity.compareTo(kubernetes.Quantity): int": (a: Opaque, b: Opaque) =>
    nano(a) < nano(b) ? -1n : nano(a) > nano(b) ? 1n : 0n,
  "kubernetes.Quantity.add(kubernetes.Quantity): kubernetes.Quantity": (a: Opaque, b: Opaque) =>
    quantityOf(addQuantities(a.inner as Quantity, b.inner as Quantity)),
  "kubernetes.Quantity.add(int): kubernetes.Quantity": (a: Opaque, b: bigint) =>
    quantityOf(addQuantities(a.inner as Quantity, units(b))),
  "kubernetes.Quantity.sub(kubernetes.Quantity): kubernetes.Quantity": (a: Opaque, b: Opaque) =>
    quantityOf(subtractQuantities(a.inner as Quantity, b.inner as Quantity)),
  "kubernetes.Quantity.sub(int): kubernetes.Quantity": (a: Opaque, b: bigint) =>
    quantityOf(subtractQuantities(a.inner as Quantity, units(b))),
};

function urlOf(text: string): Opaque {
  // Absolute URLs, and absolute paths.
  if (!URL.canParse(text, "http://none") || !/^([a-zA-Z][a-zA-Z0-9+.-]*:|\/)/.test(text))
    return fail(
      `URL parse error during conversion from string: parse ${JSON.stringify(text)}: invalid URI for request`,
    );
  return new Opaque("kubernetes.URL", new URL(text, "http://none"), text);
}

const isAbsolute = (url: Opaque): boolean => !url.key.startsWith("/");
const partOf = (url: Opaque, part: (whole: URL) => string): string => (isAbsolute(url) ? part(url.inner as URL) : "");
/** The default port is dropped from what is parsed. */
const portOf = (url: Opaque): string =>
  partOf(url, ({ port }) => port || (/^[a-z]+:\/\/[^/?#]*:(\d+)/i.exec(url.key)?.[1] ?? ""));

const URLS: Library = {
  "isURL(string): bool": (text: string) => {
    try {
      urlOf(text);
      return true;
    } catch {
      return false;
    }
  },
  "url(string): kubernetes.URL": urlOf,
  "kubernetes.URL.getScheme(): string": (a: Opaque) => partOf(a, ({ protocol }) => protocol.slice(0, -1)),
  "kubernetes.URL.getHost(): string": (a: Opaque) =>
    partOf(a, ({ hostname }) => hostname + (portOf(a) === "" ? "" : `:${portOf(a)}`)),
  "kubernetes.URL.getHostname(): string": (a: Opaque) => partOf(a, ({ hostname }) => hostname.replace(/^\[|\]$/g, "")),
  "kubernetes.URL.getPort(): string": portOf,
  "kubernetes.URL.getEscapedPath(): string": (a: Opaque) =>
    isAbsolute(a) && /^[a-z]+:\/\/[^/]*$/i.test(a.key) ? "" : (a.inner as URL).pathname,
  "kubernetes.URL.getQuery(): map<string, list<string>>": (a: Opaque) => {
    const query = new Map<Value, Value>();
    const { searchParams } = a.inner as URL;
    for (const name of new Set(searchParams.keys())) query.set(name, searchParams.getAll(name));
    return query;
  },
};

const IP = "net.IP";
const CIDR = "net.CIDR";

interface Network {
  readonly address: string;
  readonly bits: number;
}

/** One spelling of each address. */
function canonical(text: string): string {
  return isIP(text) === 6 ? new URL(`http://[${text}]`).hostname.slice(1, -1) : text;
}

/** IPv4 within IPv6, and zones, are addresses of no cluster. */
const isAddress = (text: string): boolean => isIP(text) !== 0 && !text.includes("%") && !/^::ffff:/i.test(text);

const ipOf = (text: string): Opaque =>
  isAddress(text)
    ? new Opaque(IP, canonical(text), canonical(text))
    : fail(`IP Address ${JSON.stringify(text)} parse error during conversion from string`);

function networkOf(text: string): Network | undefined {
  const { address = "", bits = "" } = /^(?<address>[^/]+)\/(?<bits>\d{1,3})$/.exec(text)?.groups ?? {};
  if (!isAddress(address) || Number(bits) > (isIP(address) === 6 ? 128 : 32)) return undefined;
  return { address: canonical(address), bits: Number(bits) };
}

function cidrOf(text: string): Opaque {
  const network =
    networkOf(text) ?? fail(`network address parse error during conversion from string: ${JSON.stringify(text)}`);
  return new Opaque(CIDR, network, `${network.address}/${network.bits}`);
}

const family = (address: string): "ipv4" | "ipv6" => (isIP(address) === 6 ? "ipv6" : "ipv4");

function contains({ address, bits }: Network, other: string): boolean {
  if (family(address) !== family(other)) return false;
  const list = new BlockList();
  list.addSubnet(address, bits, family(address));
  return list.check(other, family(other));
}

/** The network's first address. */
function masked({ address, bits }: Network): string {
  const size = family(address) === "ipv4" ? 32n : 128n;
  const value = numberOf(address);
  const rest = size - BigInt(bits);
  return textOf((value >> rest) << rest, family(address));
}

function numberOf(address: string): bigint {
  if (family(address) === "ipv4") return address.split(".").reduce((all, part) => (all << 8n) | BigInt(part), 0n);
  const [head = "", tail] = address.split("::");
  const groups = (text: string): string[] => text.split(":").filter((part) => part !== "");
  const [left, right] = [groups(head), groups(tail ?? "")];
  const gap = tail === undefined ? 0 : 8 - left.length - right.length;
  return [...left, ...Array.from({ length: gap }, () => "0"), ...right].reduce(
    (all, part) => (all << 16n) | BigInt(`0x${part}`),
    0n,
  );
}

function textOf(value: bigint, kind: "ipv4" | "ipv6"): string {
  if (kind === "ipv4") return [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 255n)).join(".");
  const groups = Array.from({ length: 8 }, (_, index) => ((value >> BigInt(112 - 16 * index)) & 0xffffn).toString(16));
  return canonical(groups.join(":"));
}

const within = (...networks: readonly string[]) => {
  const known = networks.map((text) => networkOf(text) as Network);
  return (a: Opaque): boolean => known.some((network) => contains(network, a.inner as string));
};

const NETWORKS: Library = {
  "isIP(string): bool": isAddress,
  "ip(string): net.IP": ipOf,
  "ip.isCanonical(string): bool": (text: string) =>
    isAddress(text)
      ? canonical(text) === text
      : fail(`IP Address ${JSON.stringify(text)} parse error during conversion from string`),
  "string(net.IP): string": (a: Opaque) => a.key,
  "net.IP.family(): int": (a: Opaque) => (family(a.inner as string) === "ipv4" ? 4n : 6n),
  "net.IP.isUnspecified(): bool": (a: Opaque) => a.key === "0.0.0.0" || a.key === "::",
  "net.IP.isLoopback(): bool": within("127.0.0.0/8", "::1/128"),
  "net.IP.isLinkLocalMulticast(): bool": within("224.0.0.0/24", "ff02::/16"),
  "net.IP.isLinkLocalUnicast(): bool": within("169.254.0.0/16", "fe80::/10"),
  "net.IP.isGlobalUnicast(): bool": (a: Opaque) =>
    !within(
      "0.0.0.0/32",
      "255.255.255.255/32",
      "127.0.0.0/8",
      "224.0.0.0/4",
      "169.254.0.0/16",
      "::/128",
      "::1/128",
      "ff00::/8",
      "fe80::/10",
    )(a),
  "isCIDR(string): bool": (text: string) => networkOf(text) !== undefined,
  "cidr(string): net.CIDR": cidrOf,
  "string(net.CIDR): string": (a: Opaque) => a.key,
  "net.CIDR.containsIP(string): bool": (a: Opaque, b: string) => contains(a.inner as Network, ipOf(b).key),
  "net.CIDR.containsIP(net.IP): bool": (a: Opaque, b: Opaque) => contains(a.inner as Network, b.inner as string),
  "net.CIDR.containsCIDR(string): bool": (a: Opaque, b: string) =>
    covers(a.inner as Network, cidrOf(b).inner as Network),
  "net.CIDR.containsCIDR(net.CIDR): bool": (a: Opaque, b: Opaque) => covers(a.inner as Network, b.inner as Network),
  "net.CIDR.ip(): net.IP": (a: Opaque) => ipOf((a.inner as Network).address),
  "net.CIDR.masked(): net.CIDR": (a: Opaque) => cidrOf(`${masked(a.inner as Network)}/${(a.inner as Network).bits}`),
  "net.CIDR.prefixLength(): int": (a: Opaque) => BigInt((a.inner as Network).bits),
};

const covers = (outer: Network, other: Network): boolean => other.bits >= outer.bits && contains(outer, other.address);

const VERSION =
  /^(?<major>0|[1-9]\d*)\.(?<minor>0|[1-9]\d*)\.(?<patch>0|[1-9]\d*)(?:-(?<pre>[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*))?(?:\+[0-9A-Za-z.-]+)?$/;

interface Version {
  readonly numbers: readonly bigint[];
  readonly pre: readonly string[];
}

/** With `normalize`, `v1.2` is `1.2.0`. */
function versionOf(text: string, normalize = false): Version | undefined {
  const normal = normalize
    ? text
        .replace(/^v/, "")
        .replace(/^(\d+)(?:\.(\d+))?(?:\.(\d+))?/, (_, a: string, b = "0", c = "0") =>
          [a, b, c].map((one) => String(BigInt(one))).join("."),
        )
    : text;
  const { major, minor, patch, pre } = VERSION.exec(normal)?.groups ?? {};
  if (major === undefined || minor === undefined || patch === undefined) return undefined;
  const parts = pre === undefined ? [] : pre.split(".");
  if (parts.some((part) => /^0\d+$/.test(part))) return undefined;
  return { numbers: [BigInt(major), BigInt(minor), BigInt(patch)], pre: parts };
}

function compareVersions(left: Version, right: Version): bigint {
  for (const [index, one] of left.numbers.entries()) {
    const other = right.numbers[index] ?? 0n;
    if (one !== other) return one < other ? -1n : 1n;
  }
  if (left.pre.length === 0 || right.pre.length === 0)
    return BigInt(Number(left.pre.length === 0) - Number(right.pre.length === 0));
  for (const [index, one] of left.pre.entries()) {
    const other = right.pre[index];
    if (other === undefined) return 1n;
    if (one === other) continue;
    const [a, b] = [/^\d+$/.test(one), /^\d+$/.test(other)];
    if (a && b) return BigInt(one) < BigInt(other) ? -1n : 1n;
    if (a !== b) return a ? -1n : 1n;
    return one < other ? -1n : 1n;
  }
  return left.pre.length < right.pre.length ? -1n : 0n;
}

const SEMVER = "kubernetes.Semver";

function semver(text: string, normalize = false): Opaque {
  const version = versionOf(text, normalize) ?? fail(`No Major.Minor.Patch elements found: ${JSON.stringify(text)}`);
  return new Opaque(
    SEMVER,
    version,
    `${version.numbers.join(".")}${version.pre.length === 0 ? "" : `-${version.pre.join(".")}`}`,
  );
}

const order = (a: Opaque, b: Opaque): bigint => compareVersions(a.inner as Version, b.inner as Version);

const VERSIONS: Library = {
  "isSemver(string): bool": (text: string) => versionOf(text) !== undefined,
  "isSemver(string, bool): bool": (text: string, normalize: boolean) => versionOf(text, normalize) !== undefined,
  "semver(string): kubernetes.Semver": (text: string) => semver(text),
  "semver(string, bool): kubernetes.Semver": semver,
  "kubernetes.Semver.major(): int": (a: Opaque) => (a.inner as Version).numbers[0] ?? 0n,
  "kubernetes.Semver.minor(): int": (a: Opaque) => (a.inner as Version).numbers[1] ?? 0n,
  "kubernetes.Semver.patch(): int": (a: Opaque) => (a.inner as Version).numbers[2] ?? 0n,
  "kubernetes.Semver.isGreaterThan(kubernetes.Semver): bool": (a: Opaque, b: Opaque) => order(a, b) > 0n,
  "kubernetes.Semver.isLessThan(kubernetes.Semver): bool": (a: Opaque, b: Opaque) => order(a, b) < 0n,
  "kubernetes.Semver.compareTo(kubernetes.Semver): int": order,
};

type Check = (text: string) => readonly string[];

const fits =
  (test: (text: string) => boolean, message: string): Check =>
  (text) =>
    test(text) ? [] : [message];
const prefixed =
  (check: NameRule): Check =>
  (text) =>
    check(text.replace(/-$/, "a"));

const FORMATS: Readonly<Record<string, Check>> = {
  dns1123Label: dnsLabel,
  dns1123LabelPrefix: prefixed(dnsLabel),
  dns1123Subdomain: dnsSubdomain,
  dns1123SubdomainPrefix: prefixed(dnsSubdomain),
  dns1035Label,
  dns1035LabelPrefix: prefixed(dns1035Label),
  qualifiedName,
  labelValue,
  uri: fits((text) => URL.canParse(text, "http://none") && /^([a-zA-Z][a-zA-Z0-9+.-]*:|\/)/.test(text), "invalid URL"),
  uuid: fits((text) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text), "does not match the UUID format"),
  byte: fits((text) => /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(text), "invalid base64"),
  date: fits(
    (text) => /^\d{4}-\d\d-\d\d$/.test(text) && parseTimestamp(`${text}T00:00:00Z`) !== undefined,
    "invalid date",
  ),
  datetime: fits((text) => parseTimestamp(text) !== undefined, "invalid datetime"),
};

const FORMAT = "kubernetes.NamedFormat";

function formats(): Library {
  const library: Record<string, (...args: never[]) => Value> = {};
  for (const [name, check] of Object.entries(FORMATS)) {
    library[`format.${name}(): kubernetes.NamedFormat`] = () => new Opaque(FORMAT, check, name);
  }
  library["format.named(string): optional<kubernetes.NamedFormat>"] = (name: string) => {
    const check = Object.hasOwn(FORMATS, name) ? FORMATS[name] : undefined;
    return new Optional(check === undefined ? undefined : new Opaque(FORMAT, check, name));
  };
  library["kubernetes.NamedFormat.validate(string): optional<list<string>>"] = (a: Opaque, text: string) => {
    const found = (a.inner as Check)(text);
    return new Optional(found.length === 0 ? undefined : [...found]);
  };
  return library;
}

/** Kubernetes' own libraries. */
export const KUBERNETES: Library = { ...QUANTITIES, ...URLS, ...NETWORKS, ...VERSIONS, ...formats() };

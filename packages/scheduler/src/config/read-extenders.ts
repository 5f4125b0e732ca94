import type { Json } from "@boxship/api";
import { InvalidArgument, parseDuration, Unsupported } from "@boxship/base";
import type { Extender } from "../extenders/extender.ts";
import { type ExtenderTls, httpExtender } from "../extenders/http-extender.ts";
import { Fields } from "./fields.ts";

const KNOWN = [
  "urlPrefix",
  "filterVerb",
  "preemptVerb",
  "prioritizeVerb",
  "weight",
  "bindVerb",
  "enableHTTPS",
  "tlsConfig",
];
const MORE = ["httpTimeout", "nodeCacheCapable", "managedResources", "ignorable"];
const TLS = ["insecure", "serverName", "certData", "keyData", "caData"];
const FILES = ["certFile", "keyFile", "caFile"];

export interface ReadExtenders {
  readonly extenders: readonly Extender[];
  /** Resources that the scheduler is not to count itself. */
  readonly ignored: readonly string[];
}

/** @throws InvalidArgument, Unsupported naming the field */
export function readExtenders(given: readonly { readonly value: Json; readonly at: string }[]): ReadExtenders {
  const ignored: string[] = [];
  const extenders = given.map(({ value, at }) => {
    const fields = new Fields(value, at, [...KNOWN, ...MORE]);
    const managedResources = fields.list("managedResources").map((one) => {
      const resource = new Fields(one.value, one.at, ["name", "ignoredByScheduler"]);
      const name = resource.text("name") ?? "";
      if (!name.includes("/"))
        throw new InvalidArgument(`${resource.path("name")}: an extended resource is domain/name`);
      if (resource.flag("ignoredByScheduler") === true) ignored.push(name);
      return name;
    });
    return httpExtender({ ...verbsOf(fields), ...connectionOf(fields), managedResources });
  });
  if (extenders.filter((one) => "bind" in one).length > 1) {
    throw new InvalidArgument("extenders: only one of them can implement bind");
  }
  return { extenders, ignored };
}

function verbsOf(fields: Fields) {
  const verb = (name: string): string | undefined => fields.text(name) || undefined;
  const [filterVerb, prioritizeVerb] = [verb("filterVerb"), verb("prioritizeVerb")];
  const [preemptVerb, bindVerb] = [verb("preemptVerb"), verb("bindVerb")];
  const weight = fields.number("weight", 1, 2 ** 31 - 1);
  if (prioritizeVerb !== undefined && weight === undefined) {
    throw new InvalidArgument(`${fields.path("weight")} is needed by an extender that prioritizes`);
  }
  return {
    ...(filterVerb === undefined ? {} : { filterVerb }),
    ...(prioritizeVerb === undefined ? {} : { prioritizeVerb }),
    ...(preemptVerb === undefined ? {} : { preemptVerb }),
    ...(bindVerb === undefined ? {} : { bindVerb }),
    ...(weight === undefined ? {} : { weight }),
  };
}

function connectionOf(fields: Fields) {
  const prefix = fields.text("urlPrefix") ?? "";
  const isSecure = fields.flag("enableHTTPS") ?? false;
  const urlPrefix = prefix.includes("://") ? prefix : `${isSecure ? "https" : "http"}://${prefix}`;
  if (prefix === "" || !URL.canParse(urlPrefix) || !["http:", "https:"].includes(new URL(urlPrefix).protocol)) {
    throw new InvalidArgument(`${fields.path("urlPrefix")}: ${JSON.stringify(prefix)} is no address of HTTP`);
  }
  const timeout = fields.text("httpTimeout");
  let timeoutMs: number | undefined;
  try {
    timeoutMs = timeout === undefined ? undefined : parseDuration(timeout) / 1e6;
  } catch (cause) {
    throw new InvalidArgument(`${fields.path("httpTimeout")}: ${JSON.stringify(timeout)} is no time`, { cause });
  }
  const tls = tlsOf(fields);
  return {
    urlPrefix,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    knowsNodes: fields.flag("nodeCacheCapable") ?? false,
    isIgnorable: fields.flag("ignorable") ?? false,
    ...(tls === undefined ? {} : { tls }),
  };
}

function tlsOf(fields: Fields): ExtenderTls | undefined {
  if (fields.get("tlsConfig") === undefined) return undefined;
  const tls = fields.below("tlsConfig", [...TLS, ...FILES]);
  const file = FILES.find((name) => tls.get(name) !== undefined);
  if (file !== undefined) {
    throw new Unsupported(`${tls.path(file)} is not supported`, {
      remedy: "put what is in the file into the field of data",
    });
  }
  const insecure = tls.flag("insecure");
  const serverName = tls.text("serverName");
  const pem = (name: string): string | undefined => {
    const data = tls.text(name);
    return data === undefined ? undefined : Buffer.from(data, "base64").toString();
  };
  const [certificate, key, authority] = [pem("certData"), pem("keyData"), pem("caData")];
  return {
    ...(insecure === undefined ? {} : { insecure }),
    ...(serverName === undefined ? {} : { serverName }),
    ...(certificate === undefined ? {} : { certificate }),
    ...(key === undefined ? {} : { key }),
    ...(authority === undefined ? {} : { authority }),
  };
}

import { resolve } from "node:path";
import { parseStoreChoice, type StoreChoice } from "@boxship/store";
import { commaList, type FlagValues, text } from "../flags/flag.ts";

/** Where a cluster's state is. */
export const storeFlags = {
  "etcd-ca": text("PEM file of the authority of etcd's certificates", { hint: "path" }),
  "etcd-cert": text("PEM file of the certificate that etcd knows us by", { hint: "path" }),
  "etcd-endpoints": commaList("Where etcd is, e.g. https://10.0.0.1:2379", { hint: "urls" }),
  "etcd-key": text("PEM file of its key", { hint: "path" }),
  store: text("Where the state is: sqlite or etcd (default: where it was; at first sqlite)", {
    hint: "kind",
    choices: ["sqlite", "etcd"],
  }),
} as const;

type Values = FlagValues<typeof storeFlags>;

const FILES = ["etcd-ca", "etcd-cert", "etcd-key"] as const;

const path = (given: string): string | undefined => (given === "" ? undefined : resolve(given));

/** @returns undefined where no store is named @throws InvalidArgument */
export function storeChoice(flags: Values): StoreChoice | undefined {
  return parseStoreChoice({
    store: flags.store === "" ? undefined : flags.store,
    endpoints: flags["etcd-endpoints"],
    ca: path(flags["etcd-ca"]),
    cert: path(flags["etcd-cert"]),
    key: path(flags["etcd-key"]),
  });
}

/** The flags as the cluster's process takes them. @throws InvalidArgument */
export function storeArguments(flags: Values): readonly string[] {
  if (storeChoice(flags) === undefined) return [];
  const endpoints = flags["etcd-endpoints"].join(",");
  return [
    ...["--store", flags.store],
    ...(endpoints === "" ? [] : ["--etcd-endpoints", endpoints]),
    ...FILES.flatMap((name) => (flags[name] === "" ? [] : [`--${name}`, resolve(flags[name])])),
  ];
}

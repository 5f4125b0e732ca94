import { bool, type FlagSet, text } from "./flag.ts";

/** Flags before the command. */
export const globalFlags = {
  config: text("Directory of the client's configuration and credentials"),
  debug: bool("Show where an unexpected failure came from", { short: "D" }),
  help: bool("Print usage", { short: "h" }),
  host: text("Engine to talk to: unix:///path or tcp://host:port", { short: "H" }),
  name: text("Instance of the engine"),
  root: text("Durable state of the instance, for when it has to be started"),
  version: bool("Print version information and quit", { short: "v" }),
} satisfies FlagSet;

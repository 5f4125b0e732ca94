import { InvalidArgument } from "@boxship/base";

/** Names that are zones to the runtime, and to nobody else: letters that mean another one in each country. */
const OWN = "ACT AET AGT ART AST BET BST CAT CNT CST CTT EAT ECT IET IST JST MIT NET NST PLT PNT PRT PST SST VST".split(
  " ",
);

let known: ReadonlyMap<string, string> | undefined;

/**
 * Whether there is a time zone of this name, as the IANA writes it.
 *
 * @throws InvalidArgument in Go's words
 */
export function requireZone(zone: string): void {
  const unknown = (cause?: unknown): InvalidArgument => new InvalidArgument(`unknown time zone ${zone}`, { cause });
  known ??= new Map(Intl.supportedValuesOf("timeZone").map((name) => [name.toLowerCase(), name]));
  const written = known.get(zone.toLowerCase());
  if (written === zone) return;
  // Old names of zones are not listed, but taken: none of them has a part that begins in lower case.
  if (written !== undefined || OWN.includes(zone) || !/^[A-Z][^/]*(\/[A-Z][^/]*)*$/.test(zone)) throw unknown();
  try {
    new Intl.DateTimeFormat("en-US", { timeZone: zone }).resolvedOptions();
  } catch (cause) {
    throw unknown(cause);
  }
}

import { isIP } from "node:net";
import { FlagError } from "../failure.ts";

/**
 * `HOST:PORT`, `[IPv6]:PORT` or `:PORT`, which is every address.
 *
 * @throws FlagError
 */
export function parseListenAddress(text: string): { readonly host: string; readonly port: number } {
  const [, bracketed, plain = "", digits = ""] = /^(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(text) ?? [];
  const host = bracketed ?? plain;
  const port = Number(digits);
  const isAddress = host === "" || host === "localhost" || isIP(host) !== 0;
  if (digits !== "" && port < 65_536 && isAddress) return { host: host === "" ? "::" : host, port };
  throw new FlagError(`${JSON.stringify(text)} is no address to listen at: write 127.0.0.1:5000, [::1]:5000 or :5000`);
}

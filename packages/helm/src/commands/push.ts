import { readFile } from "node:fs/promises";
import { InvalidArgument, Unsupported } from "@boxship/base/errors";
import { defineCommand } from "../command.ts";
import { bool, str } from "../flags.ts";
import { pushChart } from "../repository/oci-charts.ts";

export const command = defineCommand({
  usage: "ARCHIVE oci://REGISTRY/PATH [flags]",
  summary: "Bring a packed chart to a registry",
  operands: { min: 2, max: 2 },
  flags: {
    "ca-file": str(),
    "cert-file": str(),
    "insecure-skip-tls-verify": bool(),
    "key-file": str(),
    password: str(),
    "plain-http": bool(),
    username: str(),
  },
  async run(surroundings, { flags, operands }) {
    for (const name of ["ca-file", "cert-file", "key-file"] as const) {
      if (flags[name] !== "") throw new Unsupported(`--${name} is not supported`);
    }
    const [path = "", address = ""] = operands;
    if (!address.startsWith("oci://"))
      throw new InvalidArgument(`scheme prefix missing from remote: ${address}`, {
        remedy: "name it as oci://REGISTRY/PATH",
      });
    const { reference, digest } = await pushChart(await readFile(path), address, {
      plainHttp: flags["plain-http"],
      insecure: flags["insecure-skip-tls-verify"],
      username: flags.username,
      password: flags.password,
      env: surroundings.io.env,
    });
    surroundings.print(`Pushed: ${reference}\nDigest: ${digest}`);
  },
});

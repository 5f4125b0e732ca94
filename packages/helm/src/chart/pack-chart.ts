import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { bytesOf, tarEntry, writeTar } from "@boxship/oci/tar";
import type { ChartFile } from "./chart.ts";

/** Packs a chart's files as `NAME-VERSION.tgz` holds them. The same files give the same bytes. */
export async function packChart(name: string, files: readonly ChartFile[]): Promise<Buffer> {
  // Readers look for the chart's description first.
  const sorted = files.toSorted(
    (a, b) => Number(b.name === "Chart.yaml") - Number(a.name === "Chart.yaml") || (a.name < b.name ? -1 : 1),
  );
  const members = sorted.map((file) => ({
    entry: tarEntry({
      type: "file",
      name: bytesOf(`${name}/${file.name}`),
      mode: 0o644,
      size: file.data.length,
    }),
    body: file.data,
  }));
  const chunks: Buffer[] = [];
  for await (const chunk of writeTar(members)) chunks.push(chunk);
  return await promisify(gzip)(Buffer.concat(chunks), { level: 9 });
}

import { Filters } from "../../http/filters.ts";
import { compilePattern } from "../../http/pattern.ts";
import { defineRoute, ok } from "../../http/route.ts";
import { encodeVolume } from "../../view/volume.ts";
import { usedVolumes } from "./used-volumes.ts";

export const volumeList = defineRoute({
  method: "GET",
  path: "/volumes",
  doc: { state: "works" },
  query: (query) => Filters.from(query, ["dangling", "driver", "label", "label!", "name"]),
  handle: async ({ engine }, { query: filters }) => {
    const dangling = filters.flag("dangling");
    // Regular expressions, as with Docker.
    const names = await Promise.all(filters.get("name").map(compilePattern));
    const used = dangling === undefined ? undefined : await usedVolumes(engine);
    const volumes = (await engine.volumes.list()).filter(
      (volume) =>
        (names.length === 0 || names.some((matches) => matches(volume.name))) &&
        filters.any("driver", (driver) => volume.driver === driver) &&
        filters.labels(volume.labels) &&
        (used === undefined || used.has(volume.name) !== dangling),
    );
    return ok({ Volumes: volumes.map(encodeVolume), Warnings: null });
  },
});

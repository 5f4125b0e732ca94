import { labelText } from "./container-row.ts";
import { goTimeOfText } from "./go-time.ts";
import { shortId } from "./image-name.ts";
import type { RowType } from "./row.ts";

/** A network as the engine lists it. */
export interface ListedNetwork {
  readonly Id: string;
  readonly Name: string;
  readonly Driver: string;
  readonly Scope: string;
  readonly EnableIPv4?: boolean;
  readonly EnableIPv6?: boolean;
  readonly Internal?: boolean;
  readonly Labels?: Readonly<Record<string, string>> | null;
  readonly Created: string;
}

export const networkRow: RowType<ListedNetwork> = {
  goName: "network.networkContext",
  labels: ({ Labels }) => Labels,
  columns: {
    CreatedAt: { header: "CREATED AT", value: ({ Created }) => goTimeOfText(Created) },
    Driver: { header: "DRIVER", value: ({ Driver }) => Driver },
    ID: { header: "NETWORK ID", value: ({ Id }, { truncate }) => (truncate ? shortId(Id) : Id) },
    IPv4: { header: "IPV4", value: ({ EnableIPv4 = false }) => String(EnableIPv4) },
    IPv6: { header: "IPV6", value: ({ EnableIPv6 = false }) => String(EnableIPv6) },
    Internal: { header: "INTERNAL", value: ({ Internal = false }) => String(Internal) },
    Labels: { header: "LABELS", value: ({ Labels }) => labelText(Labels) },
    Name: { header: "NAME", value: ({ Name }) => Name },
    Scope: { header: "SCOPE", value: ({ Scope }) => Scope },
  },
};

/** The template of a list of networks. */
export function networkFormat(format: string, quiet: boolean): string {
  if (format === "table") return quiet ? "{{.ID}}" : "table {{.ID}}\t{{.Name}}\t{{.Driver}}\t{{.Scope}}";
  if (format !== "raw") return format;
  return quiet
    ? "network_id: {{.ID}}"
    : "network_id: {{.ID}}\nname: {{.Name}}\ndriver: {{.Driver}}\nscope: {{.Scope}}\n";
}

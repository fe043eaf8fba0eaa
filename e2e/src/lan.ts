import { networkInterfaces } from "node:os";

/** This machine's address for others in its network, if it has one. */
export function lanAddress(): string | undefined {
  const addresses = Object.values(networkInterfaces()).flatMap((some) => some ?? []);
  return addresses.find(({ family, internal }) => family === "IPv4" && !internal)?.address;
}

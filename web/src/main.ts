import { mount } from "svelte";

import { Engine } from "./engine/engine.ts";
import { plan } from "./engine/planner.ts";
import { watchInstall } from "./offline/install.ts";
import { Keeper } from "./offline/keeper.ts";
import App from "./ui/App.svelte";
import "./ui/theme.css";
import "./ui/elements.css";

declare global {
  interface Window {
    /** For tests and the curious: the same facade that the screen uses, and the planner by itself. */
    lingualinked: { engine: Engine; plan: typeof plan };
  }
}

const engine = new Engine();
window.lingualinked = { engine, plan };

// The development server's files are not a version.
const keeper = import.meta.env.PROD
  ? new Keeper(new URL(import.meta.url).pathname, navigator.serviceWorker)
  : undefined;
const install = watchInstall();

const target = document.getElementById("app");
if (!target) throw new Error("index.html has no element with the id app");
mount(App, { target, props: { engine, keeper, install } });

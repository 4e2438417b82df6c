// The style sheet of the HTML report. Nothing is fetched: the fonts are the system's.
#pragma once

#include <string_view>

namespace penstock::load {

// The six colours of curves keep apart in both schemes, also for who sees no red and green.
inline constexpr std::string_view report_style = R"css(
:root { color-scheme: light dark; --page: #f7f8fa; --card: #ffffff; --ink: #1b2430; --soft: #5a6675;
  --line: #d9dee5; --good: #14733c; --good-back: #e2f4e8; --bad: #b3261e; --bad-back: #fce8e6;
  --warn: #7a4f00; --warn-back: #fdf1d6;
  --c0: #1f6fd6; --c1: #d2570a; --c2: #0b8a6a; --c3: #a23fb0; --c4: #8a6d00; --c5: #c22a5a; }
@media (prefers-color-scheme: dark) {
  :root { --page: #12161c; --card: #1b212a; --ink: #e6eaf0; --soft: #9aa7b6; --line: #323b47;
    --good: #7fd6a0; --good-back: #16331f; --bad: #ff9d94; --bad-back: #43201d;
    --warn: #f2cb74; --warn-back: #3a2d10;
    --c0: #6aa9ff; --c1: #ff9a57; --c2: #4fcfa9; --c3: #d98ae6; --c4: #d9bd4a; --c5: #ff84a6; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1240px; padding: 20px 16px 40px; background: var(--page);
  color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 1.4rem; line-height: 1.25; margin: 0 0 4px; overflow-wrap: anywhere; }
.sub + .sub { margin-top: -10px; }
h2 { font-size: 1.1rem; margin: 28px 0 10px; overflow-wrap: anywhere; }
.sub { color: var(--soft); margin: 0 0 14px; overflow-wrap: anywhere; }
.badge, .note { border-radius: 6px; padding: 6px 12px; margin: 0 0 8px; overflow-wrap: anywhere; }
.badge { display: inline-block; font-weight: 600; }
.good { color: var(--good); background: var(--good-back); }
.bad { color: var(--bad); background: var(--bad-back); }
.warn { color: var(--warn); background: var(--warn-back); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(130px, 1fr)); gap: 10px;
  margin: 12px 0; }
.tile, figure, .table, dl { background: var(--card); border: 1px solid var(--line);
  border-radius: 8px; }
.tile { padding: 10px 12px; }
.tile b { display: block; font-size: 1.25rem; line-height: 1.3; font-weight: 600; }
.tile span { color: var(--soft); font-size: .85rem; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 480px), 1fr));
  gap: 14px; }
figure { margin: 0; padding: 12px 10px 6px; min-width: 0; }
figcaption { font-weight: 600; padding: 0 4px; }
figure svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--soft); font-size: 13px; font-family: inherit; }
.grid { stroke: var(--line); stroke-width: 1; }
.axis { stroke: var(--soft); stroke-width: 1; }
path { fill: none; stroke-width: 2; stroke-linejoin: round; }
.c0 { stroke: var(--c0); } .c1 { stroke: var(--c1); } .c2 { stroke: var(--c2); }
.c3 { stroke: var(--c3); } .c4 { stroke: var(--c4); } .c5 { stroke: var(--c5); }
circle { stroke-width: 3; fill: none; }
.dashed { stroke-dasharray: 5 4; }
.dotted { stroke-dasharray: 2 3; }
.shade { fill: var(--soft); fill-opacity: .16; }
.h0, .h1, .h2, .h3, .h4, .h5 { fill: var(--c0); stroke: none;
  shape-rendering: crispEdges; }
.h0 { fill-opacity: .14; } .h1 { fill-opacity: .28; } .h2 { fill-opacity: .44; }
.h3 { fill-opacity: .61; } .h4 { fill-opacity: .8; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 16px; margin: 2px 4px 6px; color: var(--soft);
  font-size: .85rem; }
.legend span { overflow-wrap: anywhere; }
figure svg.key { display: inline-block; width: 26px; height: .7em; margin-right: 6px; }
.key line { stroke-width: 2.5; }
.table { overflow-x: auto; margin: 0 0 10px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: 5px 10px; white-space: nowrap; }
th { color: var(--soft); font-weight: 600; white-space: normal; vertical-align: bottom; }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0;
  background: var(--card); }
td.text { text-align: left; white-space: normal; width: 100%; }
tr + tr > * { border-top: 1px solid var(--line); }
.ratio { color: var(--soft); padding-left: .6em; }
.soft { color: var(--soft); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 3px 16px; margin: 0;
  padding: 12px 14px; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
dl.soft { background: none; border: 0; padding: 0 4px 6px; font-size: .85rem; gap: 0 16px; }
.tile.bad { background: var(--bad-back); } .tile.bad span { color: inherit; }
@media (max-width: 520px) { body { padding: 14px 10px 30px; }
  th, td { padding: 5px 3px; font-size: .76rem; }
  tr > :first-child { padding-left: 8px; } tr > :last-child { padding-right: 8px; }
  .ratio { display: block; padding: 0; }
  svg text { font-size: 16px; }
  dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: 6px; } }
)css";

}  // namespace penstock::load

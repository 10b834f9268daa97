/** Dependencies point one way: graph ← nn ← models; diffusion never imports models; core never imports a service; services never import each other. */
const forbid = (name, from, to, comment) => ({ name, severity: "error", comment, from: { path: from }, to: { path: to } });
module.exports = {
  forbidden: [
    { name: "no-circular", severity: "error", from: {}, to: { circular: true } },
    forbid("graph-is-the-bottom", "^core/graph/", "^core/(nn|models|diffusion|data|checkpoint|service)/", "the graph knows no layers"),
    forbid("nn-on-graph-only", "^core/nn/", "^core/(models|diffusion|data|checkpoint|service)/", "layers know no models"),
    forbid("diffusion-knows-no-models", "^core/diffusion/", "^core/(models|data|checkpoint|service)/", "a denoiser is a function"),
    forbid("core-knows-no-service", "^core/", "^(generator|trainer|evaluator|cli|demo)/", "core never imports a service"),
    forbid("what-ships-stands-alone", "^(core|generator|trainer|evaluator|cli|demo)/", "^(bench|examples|test)/", "the container image is built without them"),
    forbid("generator-alone", "^generator/", "^(trainer|evaluator|cli|demo)/", "services meet through contracts only"),
    forbid("trainer-alone", "^trainer/", "^(generator|evaluator|cli|demo)/", "services meet through contracts only"),
    forbid("evaluator-alone", "^evaluator/", "^(generator|trainer|cli|demo)/", "services meet through contracts only"),
  ],
  options: { tsConfig: { fileName: "tsconfig.json" }, tsPreCompilationDeps: true, doNotFollow: { path: "node_modules" }, exclude: { path: "\\.spec\\.ts$" } },
};

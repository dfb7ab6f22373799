# ruff: noqa: E501
"""LaTeX as papers typeset it, line by line, with what each must be read as.

A line is typed from memory of the paper named above it, in its own notation and with its own
habits of brackets, spacing and macros. `None` says that the line must be refused.
"""

from __future__ import annotations

#: Equations: each list holds what the lines say, in our language.
EQUATIONS: dict[str, list[str] | None] = {
    # Kingma & Ba 2015, Adam
    r"m_t \leftarrow \beta_1 \cdot m_{t-1} + (1 - \beta_1) \cdot g_t": [
        "m[t] = beta1*m[t-1] + (1 - beta1)*g[t]"
    ],
    r"\widehat{m}_t \leftarrow m_t/(1 - \beta_1^t)": ["mhat[t] = m[t]/(1 - beta1^t)"],
    r"\widehat{v_t} \gets \dfrac{v_t}{1 - \beta^t_2}": ["vhat[t] = v[t]/(1 - beta2^t)"],
    r"\theta_t \leftarrow \theta_{t-1} - \alpha \cdot \widehat{m}_t/(\sqrt{\widehat{v}_t} + \epsilon)": [
        "theta[t] = theta[t-1] - alpha*mhat[t]/(sqrt(vhat[t]) + epsilon)"
    ],
    r"\alpha_t = \alpha \cdot \sqrt{1 - \beta_2^t}/(1 - \beta_1^t)": [
        "alpha[t] = alpha*sqrt(1 - beta2^t)/(1 - beta1^t)"
    ],
    r"u_t \leftarrow \max\left(\beta_2 \cdot u_{t-1}, \left| g_t \right|\right)": [
        "u[t] = max(beta2*u[t-1], abs(g[t]))"
    ],
    # Loshchilov & Hutter 2019, AdamW, with bold letters and several equations on a line
    r"\boldsymbol{\theta}_t \leftarrow \boldsymbol{\theta}_{t-1} - \eta_t \left( \alpha \hat{\boldsymbol{m}}_t "
    r"/ (\sqrt{\hat{\boldsymbol{v}}_t} + \epsilon) + \lambda \boldsymbol{\theta}_{t-1} \right)": [
        "theta[t] = theta[t-1] - eta[t]*(alpha*mhat[t]/(sqrt(vhat[t]) + epsilon)"
        " + lambda*theta[t-1])"
    ],
    r"\hat{m}_t = \frac{m_t}{1-\beta_1^t}, \quad \hat{v}_t = \frac{v_t}{1-\beta_2^t}": [
        "mhat[t] = m[t]/(1 - beta1^t)",
        "vhat[t] = v[t]/(1 - beta2^t)",
    ],
    r"\eta_t = \eta_{\min}^{i} + \tfrac12 (\eta_{\max}^{i} - \eta_{\min}^{i})"
    r"\Bigl(1 + \cos\bigl(\tfrac{T_{\text{cur}}}{T_i}\pi\bigr)\Bigr)": [
        "eta[t] = eta_min_i + 1/2*(eta_max_i - eta_min_i)*(1 + cos(T_cur/T_i*pi))"
    ],
    # You et al. 2017, LARS, and 2020, LAMB: layers
    r"\lambda^{l} = \eta \times \frac{\|w^{l}\|}{\|\nabla L(w^{l})\| + \beta * \|w^{l}\|}": [
        "lambda = eta*(norm(w)/(norm(grad(w)) + beta*norm(w)))"
    ],
    r"r_t^{(i)} = \frac{\lVert x_t^{(i)} \rVert_2}{\lVert u_t^{(i)} \rVert_2}": [
        "r[t] = norm(x[t])/norm(u[t])"
    ],
    r"x_{t+1}^{(i)} = x_t^{(i)} - \eta_t \frac{\left\|x_t^{(i)}\right\|}{\left\|m_t^{(i)}\right\|} m_t^{(i)}": [
        "x[t+1] = x[t] - eta[t]*(norm(x[t])/norm(m[t]))*m[t]"
    ],
    r"p = \phi(\|x_t\|)": None,
    # Jordan et al. 2024, Muon
    r"B_t = \mu B_{t-1} + G_t \\ O_t = G_t G_t^\top B_t": [
        "B[t] = mu*B[t-1] + G[t]",
        "O[t] = G[t]@G[t].T@B[t]",
    ],
    r"A = X X^\top, \quad B = b A + c A A, \quad Y = a X + B X": [
        "A = X@X.T",
        "B = b*A + c*A@A",
        "Y = a*X + B@X",
    ],
    r"X_0 = \frac{G}{\|G\|_F}": ["X0 = G/norm(G)"],
    # Gupta et al. 2018, Shampoo
    r"L_t = L_{t-1} + G_t G_t^{\mathsf{T}} \\ R_t = R_{t-1} + G_t^{\mathsf{T}} G_t \\ "
    r"W_{t+1} = W_t - \eta L_t^{-1/4} G_t R_t^{-1/4}": [
        "L[t] = L[t-1] + G[t]@G[t].T",
        "R[t] = R[t-1] + G[t].T@G[t]",
        "W[t+1] = W[t] - eta*matpow(L[t], -(1/4))@G[t]@matpow(R[t], -(1/4))",
    ],
    r"V_t = G_t^\top G_t + H_t^2": ["V[t] = G[t].T@G[t] + H[t]^2"],
    r"V_t = G_t^\top G_t + G_t^2": None,
    r"V_t = G_t^\top G_t + \beta_t G_t^{\odot 2}": ["V[t] = G[t].T@G[t] + beta[t]*G[t]^2"],
    r"W_t = G_t^\top G_t a_t": None,
    r"V_t = G_t G_t^\top \odot V_{t-1}": ["V[t] = G[t]@G[t].T*V[t-1]"],
    r"H_t = H_{t-1} + g_t g_t^\top": None,
    # Shazeer & Stern 2018, Adafactor
    r"R_t = \hat{\beta}_{2t} R_{t-1} + (1 - \hat{\beta}_{2t}) \sum_{j} G_{t,ij}^2": [
        "R[t] = betahat2[t]*R[t-1] + (1 - betahat2[t])*sum(G[t]^2, per row)"
    ],
    r"C_t = \sum_{i} G_{t,ij}^2": ["C[t] = sum(G[t]^2, per column)"],
    r"\hat{\beta}_{2t} = 1 - t^{-0.8}": ["betahat2[t] = 1 - t^(-0.8)"],
    r"\rho_t = \min\left\{10^{-2}, \frac{1}{\sqrt{t}}\right\}": ["rho[t] = min(1e-2, 1/sqrt(t))"],
    r"\hat{U}_t = U_t / \max\left(1, \mathrm{rms}(U_t)/d\right)": [
        "Uhat[t] = U[t]/max(1, rms(U[t])/d)"
    ],
    # Chen et al. 2023, Lion
    r"\theta_t \gets \theta_{t-1} - \eta_t(\operatorname{sign}(c_t) + \lambda\theta_{t-1})": [
        "theta[t] = theta[t-1] - eta[t]*(sign(c[t]) + lambda*theta[t-1])"
    ],
    r"c_t = \mathrm{sgn}\bigl(\beta_1 m_{t-1} + (1-\beta_1) g_t\bigr)": [
        "c[t] = sign(beta1*m[t-1] + (1 - beta1)*g[t])"
    ],
    # Zaheer et al. 2018, Yogi
    r"v_t = v_{t-1} - (1-\beta_2)\,\mathrm{sign}(v_{t-1} - g_t^2)\, g_t^2": [
        "v[t] = v[t-1] - (1 - beta2)*sign(v[t-1] - g[t]^2)*g[t]^2"
    ],
    # Liu et al. 2020, RAdam
    r"\rho_\infty = \frac{2}{1-\beta_2} - 1": ["rho_inf = 2/(1 - beta2) - 1"],
    r"\rho_t = \rho_{\infty} - 2t\beta_2^t/(1-\beta_2^t)": [
        "rho[t] = rho_inf - 2*t*beta2^t/(1 - beta2^t)"
    ],
    r"r_t = \sqrt{\frac{(\rho_t - 4)(\rho_t - 2)\rho_\infty}{(\rho_\infty - 4)(\rho_\infty - 2)\rho_t}}": [
        "r[t] = sqrt((rho[t] - 4)*(rho[t] - 2)*rho_inf/((rho_inf - 4)*(rho_inf - 2)*rho[t]))"
    ],
    # Ginsburg et al. 2019, NovoGrad
    r"v_t^l = \beta_2 \cdot v_{t-1}^l + (1 - \beta_2) \cdot \|g_t^l\|^2": [
        "v[t] = beta2*v[t-1] + (1 - beta2)*norm(g[t])^2"
    ],
    r"m_t^l = \beta_1 m_{t-1}^l + \left(\frac{g_t^l}{\sqrt{v_t^l} + \epsilon} + d w_t^l\right) \\"
    r" n = \|w_t^l\|": [
        "m[t] = beta1*m[t-1] + (g[t]/(sqrt(v[t]) + epsilon) + d*w[t])",
        "n = norm(w[t])",
    ],
    # Mishchenko & Defazio 2023, Prodigy; Defazio & Mishchenko 2023, D-Adaptation
    r"r_{k+1} = \sqrt{\beta_2}\, r_k + (1-\sqrt{\beta_2}) \eta d_k^2 \langle g_k, x_0 - x_k \rangle"
    r" \\\\ x_{k+1} = x_k - s_k": [
        "r[t+1] = sqrt(beta2)*r[t] + (1 - sqrt(beta2))*eta*d[t]^2*dot(g[t], x[0] - x[t], all)",
        "x[t+1] = x[t] - s[t]",
    ],
    r"\hat{d}_{k+1} = \frac{r_{k+1}}{\|s_{k+1}\|_1}": ["dhat[t+1] = r[t+1]/sum(abs(s[t+1]), all)"],
    r"d_{k+1} = \max(d_k, \hat{d}_{k+1})": ["d[t+1] = max(d[t], dhat[t+1])"],
    r"s_{k+1} = s_k + \lambda_k g_k": ["s[t+1] = s[t] + lambda[t]*g[t]"],
    # Defazio et al. 2024, Schedule-Free
    r"c_{t+1} = \frac{\gamma_t^2}{\sum_{i=1}^{t} \gamma_i^2}": [
        "c[t+1] = gamma[t]^2/sum_gamma[t]",
        "sum_gamma[0] = 0",
        "sum_gamma[t] = sum_gamma[t-1] + gamma[t]^2",
    ],
    r"x_{t+1} = (1 - c_{t+1})\, x_t + c_{t+1} z_{t+1}": [
        "x[t+1] = (1 - c[t+1])*x[t] + c[t+1]*z[t+1]"
    ],
    # Foret et al. 2021, SAM
    r"\hat{\epsilon}(w) = \rho \nabla_w L(w)": None,
    r"\hat{\epsilon}_t = \rho \frac{\nabla_w L(w_t)}{\|\nabla_w L(w_t)\|_2}": [
        "epsilonhat[t] = rho*(grad(w[t])/norm(grad(w[t]), all))"
    ],
    r"g_t = \nabla_w L_{\mathcal{S}}(w)|_{w_t + \hat{\epsilon}_t}": [
        "g[t] = grad(w[t] + epsilonhat[t])"
    ],
    r"g_t = \left.\nabla_w L(w)\right|_{w = w_t + e_t}": ["g[t] = grad(w[t] + e[t])"],
    # Sutskever et al. 2013 and Polyak: momentum, with other step letters
    r"v_{k+1} = \mu v_k - \varepsilon \nabla f(x_k + \mu v_k)": [
        "v[t+1] = mu*v[t] - epsilon*grad(x[t] + mu*v[t])"
    ],
    r"x^{k+1} = x^k - \alpha \nabla f(x^k) + \beta (x^k - x^{k-1})": [
        "x[t+1] = x[t] - alpha*grad(x[t]) + beta*(x[t] - x[t-1])"
    ],
    r"w_{n+1} = w_n - \eta_n \nabla Q(w_n)": ["w[t+1] = w[t] - eta[t]*grad(w[t])"],
    r"w^{(t+1)} = w^{(t)} - \eta \nabla E(w^{(t)})": ["w[t+1] = w[t] - eta*grad(w[t])"],
    r"m^t = \beta m^{t-1} + (1-\beta) g^t": ["m[t] = beta*m[t-1] + (1 - beta)*g[t]"],
    r"m^t = \beta^t m^{t-1} + c^t": None,
    r"x_t = k x_{t-1}": ["x[t] = k*x[t-1]"],
    # Riedmiller & Braun 1993, Rprop
    r"\Delta_{ij}^{(t)} = \eta^+ \Delta_{ij}^{(t-1)}": ["Delta[t] = eta_plus*Delta[t-1]"],
    r"\Delta_t = x_t - x_{t-1} + \Delta x_t": ["Delta[t] = x[t] - x[t-1] + Delta_x[t]"],
    r"D_t = \begin{cases} \eta^+ \cdot D_{t-1} & \text{if } g_{t-1} \cdot g_t > 0 \\ "
    r"\eta^- \cdot D_{t-1} & \text{if } g_{t-1} \cdot g_t < 0 \\ D_{t-1} & \text{else} \end{cases}": [
        "D[t] = eta_plus*D[t-1] if g[t-1]*g[t] > 0 else eta_minus*D[t-1] if g[t-1]*g[t] < 0"
        " else D[t-1]"
    ],
    r"D_t = \left\{\begin{array}{ll} \min(\eta^{+} D_{t-1}, D_{\max}), & s > 0 \\ D_{t-1}, & \text{otherwise}"
    r"\end{array}\right.": ["D[t] = min(eta_plus*D[t-1], D_max) if s > 0 else D[t-1]"],
    # Reddi et al. 2018, AMSGrad; Zhuang et al. 2020, AdaBelief: projections
    r"\hat{v}_t = \max(\hat{v}_{t-1}, v_t)": ["vhat[t] = max(vhat[t-1], v[t])"],
    r"m_t = \beta_{1t} m_{t-1} + (1 - \beta_{1t}) g_t": ["m[t] = beta1[t]*m[t-1] + (1 - beta1[t])*g[t]"],
    r"x_{t+1} = \Pi_{\mathcal{F}, \sqrt{\hat{V}_t}}(x_t - \alpha_t m_t / \sqrt{\hat{v}_t})": None,
    r"s_t = \beta_2 s_{t-1} + (1-\beta_2)(g_t - m_t)^2 + \epsilon": [
        "s[t] = beta2*s[t-1] + (1 - beta2)*(g[t] - m[t])^2 + epsilon"
    ],
    # Duchi et al. 2011 and Zeiler 2012
    r"x_{t+1} = x_t - \frac{\eta}{\sqrt{\sum_{\tau=1}^t g_{\tau}^2}} g_t": [
        "x[t+1] = x[t] - eta/sqrt(sum_g[t])*g[t]",
        "sum_g[0] = 0",
        "sum_g[t] = sum_g[t-1] + g[t]^2",
    ],
    r"E[g^2]_t = \rho\, E[g^2]_{t-1} + (1-\rho)\, g_t^2": [
        "E_g2[t] = rho*E_g2[t-1] + (1 - rho)*g[t]^2"
    ],
    r"\Delta x_t = - \frac{\mathrm{RMS}[\Delta x]_{t-1}}{\mathrm{RMS}[g]_t}\, g_t": [
        "Delta_x[t] = -(RMS_Delta_x[t-1]/RMS_g[t]*g[t])"
    ],
    # Dozat 2016, Nadam
    r"\mu_t = \beta_1 \left(1 - \frac12 \cdot 0.96^{\frac{t}{250}}\right)": [
        "mu[t] = beta1*(1 - 1/2*0.96^(t/250))"
    ],
    r"\hat{g}_t = \frac{g_t}{1 - \prod_{i=1}^{t} \mu_i}": [
        "ghat[t] = g[t]/(1 - prod_mu[t])",
        "prod_mu[0] = 1",
        "prod_mu[t] = prod_mu[t-1]*mu[t]",
    ],
    r"\bar{m}_t = \frac{m_t}{1 - \prod_{i=1}^{t+1} \mu_i}": [
        "mbar[t] = m[t]/(1 - prod_mu[t]*mu[t+1])",
        "prod_mu[0] = 1",
        "prod_mu[t] = prod_mu[t-1]*mu[t]",
    ],
    # Neelakantan et al. 2015, gradient noise; Welling & Teh 2011
    r"\sigma_t^2 = \frac{\eta}{(1+t)^\gamma}": ["sigma2[t] = eta/(1 + t)^gamma"],
    r"\xi_t \sim \mathcal{N}(0, \sigma_t^2) \\ u_t = g_t + \xi_t": [
        "xi[t] ~ normal(0, sigma[t])",
        "u[t] = g[t] + xi[t]",
    ],
    r"\xi_t \sim \mathcal{N}\left(0, \epsilon_t \mathbf{I}\right)": ["xi[t] ~ normal(0, sqrt(epsilon[t]))"],
    r"z \sim \mathcal{U}(-1, 1)": ["z ~ uniform(-1, 1)"],
    r"u_t = g_t + \mathcal{N}(0, \eta)": ["u[t] = g[t] + xi", "xi ~ normal(0, sqrt(eta))"],
    # Lucas et al. 2019, AggMo
    r"v_t^{(i)} = \beta^{(i)} v_{t-1}^{(i)} - g_t \\ "
    r"\theta_t = \theta_{t-1} + \frac{\gamma_t}{K} \sum_{i=1}^{K} v_t^{(i)}": [
        "v[i, t] = beta[i]*v[i, t-1] - g[t]",
        "theta[t] = theta[t-1] + gamma[t]/K*sum(v[i, t], i)",
    ],
    r"g_t = \frac{1}{n} \sum_{i=1}^{n} \nabla f_i(\theta_{t-1})": ["g[t] = grad(theta[t-1])"],
    r"y = \prod_{i=1}^{K} b_i": ["y = prod(b[i], i)"],
    r"y = \prod_i b_i": None,
    r"u_k = a u_{k-1} + b_t, \quad \text{for } k = 1, 2, \dots, 5": ["u[k] = a*u[k-1] + b[t]"],
    r"y_t = a b_t, \text{ where } a = c^2": ["y[t] = a*b[t]", "a = c^2"],
    r"y_t = a b_t \text{ where } t > 1": None,
    # Polyak's step, clipping, AGC
    r"\alpha_t = \frac{f(x_t) - f^*}{\|\nabla f(x_t)\|^2}": None,
    r"g \leftarrow \min\left(1, \frac{c}{\|g\|}\right) g": ["g = min(1, c/norm(g, all))*g"],
    r"\hat{g}_t = \operatorname{clip}(g_t, -c, c)": ["ghat[t] = min(max(g[t], -c), c)"],
    r"u_t = \mathrm{clip}_{[-c, c]}(g_t)": ["u[t] = min(max(g[t], -c), c)"],
    r"u_t = \operatorname{clip}_{[\gamma, 1]} \left( a_t b_t \right)": ["u[t] = min(max(a[t]*b[t], gamma), 1)"],
    r"u_t = \operatorname{clip}_{c}(g_t)": None,
    # two steps in one: extragradient, leapfrog
    r"w_{t+1/2} = w_t - \eta \nabla f(w_t) \\ w_{t+1} = w_t - \eta \nabla f(w_{t+\frac{1}{2}})": [
        "w_half[t+1] = w[t] - eta*grad(w[t])",
        "w[t+1] = w[t] - eta*grad(w_half[t+1])",
    ],
    r"v_{k+1/2} = v_{k-1/2} - \eta \nabla f(x_k) \\ x_{k+1} = x_k + v_{k+1/2}": [
        "v_half[t+1] = v_half[t] - eta*grad(x[t])",
        "x[t+1] = x[t] + v_half[t+1]",
    ],
    r"w_{t+1/3} = w_t": None,
    r"n_t = \sqrt{\sum_i g_{t,i}^2}": ["n[t] = sqrt(sum(g[t]^2, all))"],
    r"n_t = \sqrt{\sum_{i=1}^{d} g_{t,i}^2}": ["n[t] = sqrt(sum(g[t]^2, all))"],
    r"s = \|x\|_\infty": ["s = max(abs(x), all)"],
    r"a_t = g_t^\top g_{t-1}": ["a[t] = dot(g[t], g[t-1], all)"],
    r"a_t = x^T \cdot y": ["a[t] = dot(x, y, all)"],
    r"a_t = \left\langle m_t, g_t \right\rangle \|g_t\|^{-2}": [
        "a[t] = dot(m[t], g[t], all)*norm(g[t], all)^(-2)"
    ],
    r"\mu_t = \mathbb{1}[m_t g_t > 0]": ["mu[t] = 1 if m[t]*g[t] > 0 else 0"],
    # schedules
    r"\eta_t = \eta_0 \cdot \gamma^{\lfloor t/s \rfloor}": ["eta[t] = eta0*gamma^floor(t/s)"],
    r"c = \lceil t/n \rceil": ["c = -floor(-(t/n))"],
    r"\eta = d_{\text{model}}^{-0.5} \cdot \min(t^{-0.5}, t \cdot w^{-1.5})": [
        "eta = d_model^(-0.5)*min(t^(-0.5), t*w^(-1.5))"
    ],
    r"T = t \bmod n": ["T = mod(t, n)"],
    r"T = t \mod n": ["T = mod(t, n)"],
    r"u_t = \begin{cases} a_t & t \equiv 0 \pmod{k} \\ 0 & \text{otherwise} \end{cases}": [
        "u[t] = a[t] if mod(t, k) == 0 else 0"
    ],
    r"\eta_t = \begin{dcases} \frac{t}{w} \eta & \text{if $t < w$,} \\ \eta & \text{if $t \ge w$.} \end{dcases}": [
        "eta[t] = t/w*eta if t < w else eta if t >= w"
    ],
    r"b_t = \begin{cases} m_t, & 0 \le m_t < b_{t-1} \end{cases}": [
        "b[t] = m[t] if 0 <= m[t] and m[t] < b[t-1]"
    ],
    r"x = 1 + \begin{cases} a & \text{if } b > 0 \end{cases}": None,
    # several equations, chains, layout
    r"m_0 = v_0 = 0 \\ m_t = m_{t-1} + v_{t-1} + v_t": ["m[0] = v[0] = 0", "m[t] = m[t-1] + v[t-1] + v[t]"],
    r"a_t = b_t, \qquad c_t = d_t; \quad e_t := f_t": ["a[t] = b[t]", "c[t] = d[t]", "e[t] = f[t]"],
    r"a_t = b_t \text{ and } c_t = d_t": ["a[t] = b[t]", "c[t] = d[t]"],
    r"u_t = a + b = b + a": ["u[t] = a + b", "u[t] = b + a"],
    r"\begin{eqnarray} x_t &=& x_{t-1} - s_t \nonumber \\ s_t &=& \eta g_t \end{eqnarray}": [
        "x[t] = x[t-1] - s[t]",
        "s[t] = eta*g[t]",
    ],
    r"\begin{alignat}{2} x_t &= y_t &\quad z_t &= w_t \end{alignat}": ["x[t] = y[t]", "z[t] = w[t]"],
    r"\[ x_t = \underbrace{\beta v_{t-1}}_{\text{momentum}} + \boxed{g_t} \]": [
        "x[t] = beta*v[t-1] + g[t]"
    ],
    r"x_t \overset{\text{def}}{=} \textcolor{red}{a} + {\color{blue} b} \vphantom{\sum_i}": ["x[t] = a + b"],
    r"x_t \stackrel{\Delta}{=} \smash{y_t}": ["x[t] = y[t]"],
    r"x_t \coloneqq y_t \kern{2pt} \hspace*{1em} \rule[0pt]{0pt}{2ex}": None,
    r"x = \biggl\{ \Bigl[ \bigl( a + b \bigr) c \Bigr] d \biggr\}": ["x = (a + b)*c*d"],
    r"x = \left\{ \left[ a \right] b \right\}^{2}": ["x = (a*b)^2"],
    r"x = \bigl\lVert y \bigr\rVert_2 + \Big|z\Big| + \left\lvert w \right\rvert": [
        "x = norm(y, all) + abs(z) + abs(w)"
    ],
    r"x = a \big/ b": ["x = a/b"],
    r"x = a \oslash b": ["x = a/b"],
    r"x = \nicefrac{1}{2} a + \cfrac{b}{c}": ["x = 1/2*a + b/c"],
    r"x \in \mathbb{R}^{d}, \quad y = x + 1": ["y = x + 1"],
    r"\beta \in [0, 1), \quad y_t = \beta x_t": ["y[t] = beta*x[t]"],
    r"x = u' + u''": ["x = u_prime + u_primeprime"],
    r"x = \theta^* - \theta^\star": ["x = theta_star - theta_star"],
    r"x = \partial L / \partial w": ["x = grad(w)"],
    r"x = \frac{\partial}{\partial w_t} L(w_t)": ["x = grad(w[t])"],
    r"x = \frac{\partial L(w_t)}{\partial w_t}": ["x = grad(w[t])"],
    r"g_t = \nabla f(x_t, \xi_t)": ["g[t] = grad(x[t])"],
    r"g_t = \nabla f(x_t, y_t)": None,
    r"x = \operatorname{diag}(v)": ["x = v"],
    r"x = \operatorname{kron}(v)": ["x = kron(v)"],
    r"x = \mathrm{tr}(A)": None,
    r"x \approx y": None,
    r"x \propto y": None,
    r"x = \arg\min_y f": None,
    r"x = y \text{ for all } t": None,
    r"x = \sum_{i \ne j} a_i": None,
    r"x = \sum a_i": None,
    r"x_t = \sum_{i=1}^{t} \beta^{t-i} g_i": None,
    r"x_t = \sum_{i=0}^{t} g_i": None,
    r"x = w^l": None,
    r"x \sim \mathcal{N}(0, I)": ["x ~ normal(0, 1)"],
    r"\xi_t \sim \mathcal{N}(0, \sigma^2 I_d)": ["xi[t] ~ normal(0, sigma)"],
    r"x = U(a, b)": None,
    r"x = \frac{t}{T} g^T h": None,
    r"n = \|g_{t,i}\|": None,
    r"x = \sum_l \|w^l\|^2": None,
    r"x = \sum_i \beta_i x_i": None,
    r"x = L'(w + v)": None,
    r"x = \phi(1 - y)": None,
    r"x = \nabla f(y)|_{z} + \nabla f(y)|_{1}^{2}": None,
    r"x = (a + b)|_{t = 1}": None,
    r"A = B^\top C, \quad D = E / A": None,
    r"x = \|y\|_*": None,
    r"n_t = ||g_t||^2_2 + \left|\left| m_t \right|\right| + |a||b| + | a + |b||": [
        "n[t] = norm(g[t], all)^2 + norm(m[t], all) + abs(a)*abs(b) + abs(a + abs(b))"
    ],
    r"n_t = \|g_t\|_{\ell_1} + \|g_t\|_{L_2}": ["n[t] = sum(abs(g[t]), all) + norm(g[t], all)"],
    r"n_t = \norm{g_t}_2^2 + \norm*{m_t} + \abs{a}^2 + \norm{g_t}_1 b": [
        "n[t] = norm(g[t], all)^2 + norm(m[t], all) + abs(a)^2 + sum(abs(g[t]), all)*b"
    ],
    r"n_t = \norm[1]{g_t}": None,
    r"\bm{\theta_t} = \bm{\theta_{t-1}} - \mathbf{m_t}^2 / \hat{\mathbf{v_t}}": [
        "theta[t] = theta[t-1] - m[t]^2/vhat[t]"
    ],
    r"u_t = e^-t": None,
    r"u_t = \mathrm{m_t} + \mathrm{v}_t": None,
    r"u_t = \mathrm{v}_t + \mathrm{m\_t}": ["u[t] = v[t] + m_t"],
    r"\boldsymbol{u}_t = \bm u_{t-1} + \pmb{u}_{t-1}": ["u[t] = u[t-1] + u[t-1]"],
    r"u_t = lr \cdot g_t": None,
    r"u_t = \mathrm{tr}{(A)}": None,
    r"u_t = \mathrm{RMS}{(m_t)}": ["u[t] = rms(m[t])"],
    r"u_t = \mathrm{sign}{m_t}^2": None,
    r"u_t = \sign{(m_t)}^2 g_t + \max{(a, b)} + \exp{-t} + \min{\{a, b\}} + \log{\bigl(a)}": [
        "u[t] = sign(m[t])^2*g[t] + max(a, b) + exp(-t) + min(a, b) + log(a)"
    ],
    r"u_t = \sign{m_t}^2": None,
    r"u_t = \exp{-t} c": None,
    r"u_t = \log{a + b}": None,
    r"u_t = \log{\{a\} + \{b\}}": None,
    r"u_t = \max{(a + b), (c + d)}": ["u[t] = max(a + b, c + d)"],
    # a bracket over several rows
    r"u_t &= \bigl( m_t \\ &\quad + \lambda x_{t-1} \bigr) c": ["u[t] = (m[t] + lambda*x[t-1])*c"],
    r"u_t &= \left( m_t + \right. \nonumber \\ & \left. \lambda x_{t-1} \right)": [
        "u[t] = m[t] + lambda*x[t-1]"
    ],
    # a formula over several rows, and a remark behind it
    r"u_t &= a \\ &\quad - \frac{1}{2} 0.9^t \\ &\hspace{3mm} \cdot m_t \text{ (the step)}": [
        "u[t] = a - 1/2*0.9^t*m[t]"
    ],
    r"u_t &= a + \\ & b \\ v_t &= \sum_{i=1}^t w_i \\ & - c": [
        "u[t] = a + b", "v[t] = sum_w[t] - c", "sum_w[0] = 0", "sum_w[t] = sum_w[t-1] + w[t]"
    ],
    r"u_t = a \text{ (then decayed)}": None,
    r"u_t = v_t^{ave}": ["u[t] = v_ave[t]"],
    # a gradient at a time, and a bold letter beside a plain one
    r"u_t = \frac{\partial E}{\partial w_{ij}}^{(t-1)} * \frac{\partial E}{\partial w_{ij}}^{(t)}": ["u[t] = g[t-1]*g[t]"],
    r"u_t = \frac{\partial E}{\partial w}^2": None,
    r"u_t = \frac{\partial E}{\partial w_t}^{(t)}": None,
    r"\boldsymbol{\eta}_t = \eta/\sqrt{n_t}": ["eta[t] = eta/sqrt(n[t])"],
    r"\aleph_t = g_t [\beth > 0]": ["aleph[t] = g[t]*(1 if beth > 0 else 0)"],
    r"u_t &= m_t & \text{momentum}": None,
    r"u_t &= m_t & \text{(momentum)} \\ v_t =& \\ & g_t": ["u[t] = m[t]", "v[t] = g[t]"],
    # several names at once
    r"(m_t, v_t) = (\beta m_{t-1}, g_t^2)": ["m[t] = beta*m[t-1]", "v[t] = g[t]^2"],
    r"(a, b) = 0, \; [c, d] \gets [1, 2]": ["a = 0", "b = 0", "c = 1", "d = 2"],
    r"(m_t, v_t) = f(g_t)": None,
    # what looks like a product, a power or a condition and is none
    r"w_t = w_{t-1} - \eta \frac{dL}{dw_{t-1}}": ["w[t] = w[t-1] - eta*grad(w[t-1])"],
    r"w_t = \frac{\mathrm{d}}{\mathrm{d} w} L(w)": ["w[t] = grad(w)"],
    r"w_t = d \frac{dL}{dw}": None,
    r"y = \prod_{i=1}^{K} b_i c": None,
    r"y = c \prod_{i=1}^{K} b_i d_i": ["y = c*prod(b[i]*d[i], i)"],
    r"y = \prod_{i=1}^{K} b_i / \prod_{i=1}^{K} c_i": None,
    r"y = \prod_{i=1}^{t} \mu_i \cdot c": None,
    r"y_t = a / \sum_i g_{t,i}^2 m_t": None,
    r"y_t = a / \sum_j G_{t,ij}^2": ["y[t] = a/sum(G[t]^2, per row)"],
    r"y_t = a / \sum_{i=1}^K b_i c_i": ["y[t] = a/sum(b[i]*c[i], i)"],
    r"y_t = \eta m_t[i]": None,
    r"v_t = \hat{v}_{t-1} \vee v_{t-1}": None,
    r"u_t = \begin{cases} a & b > 0 \wedge (c > 0) \\ 0 & \text{otherwise} \end{cases}": [
        "u[t] = a if b > 0 and c > 0 else 0"
    ],
    r"y_t = m_t^{\text{fast}} + m_t^{(\mathrm{slow})} + v^{\max}_t - v_{t-1}^{max}": [
        "y[t] = m_fast[t] + m_slow[t] + v_max[t] - v_max[t-1]"
    ],
    r"y_t = x_t^{\mathrm{power}} + \mathrm{power}": ["y[t] = x[t]^power + power"],
    r"y_t = m_{\mathrm{t}}": None,
    r"y_t = \mathrm{tr}(G_t^\top G_t)": None,
    r"y_t = A^\top A B": None,
    r"y_t = \frac{1}{N} A^\top A": ["y[t] = 1/N*A.T@A"],
    r"x^{k+1} = x^k - \alpha \nabla f(x^k) + \beta^k (x^k - x^{k-1})": None,
    r"m^{t+1} = \beta m^t + (1 - \beta^t) g^t": None,
    r"m^t = \beta m^{t-1} + g^t \\ \hat{m}^t = m^t / (1 - \beta^t)": [
        "m[t] = beta*m[t-1] + g[t]",
        "mhat[t] = m[t]/(1 - beta^t)",
    ],
}  # fmt: skip

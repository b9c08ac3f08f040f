// RAII for C++11 and later: spans and contexts that end with their scope and can be moved. Header only; everything is
// inline over the C functions of weir.h, whose contracts hold.
//
//     WEIR_SCOPE(scope, "shop.frontend", "1.4.0");
//     weir::span span(scope, WEIR_S("GET /order"), WEIR_SERVER);
//     span.set(WEIR_KV("url.path", path));
#ifndef WEIR_WEIR_HPP
#define WEIR_WEIR_HPP

#include "weir/weir.h"

namespace weir {

// A span that ends when it is destroyed. A moved-from span does nothing.
class span {
public:
    explicit span(weir_scope &scope, weir_str name, weir_kind kind = WEIR_INTERNAL, const weir_ctx *parent = nullptr)
    {
        weir_span_opts opts = weir_span_opts();
        opts.size = static_cast<uint32_t>(sizeof(opts));
        opts.kind = static_cast<uint32_t>(kind);
        opts.parent = parent;
        weir_span_begin(&span_, &scope, name, &opts);
    }
    span(weir_scope &scope, weir_str name, const weir_span_opts &opts)
    {
        weir_span_begin(&span_, &scope, name, &opts);
    }
    span(span &&other) noexcept : span_(other.span_)
    {
        other.span_ = weir_span();
    }
    span &operator=(span &&other) noexcept
    {
        if (this != &other) {
            weir_span_end(&span_);
            span_ = other.span_;
            other.span_ = weir_span();
        }
        return *this;
    }
    span(const span &) = delete;
    span &operator=(const span &) = delete;
    ~span()
    {
        weir_span_end(&span_);
    }

    bool recording() const
    {
        return weir_recording(&span_);
    }
    const weir_ctx &context() const
    {
        return span_.ctx;
    }
    void set(const weir_attr &attr)
    {
        weir_span_set(&span_, attr);
    }
    void set(std::initializer_list<weir_attr> attrs)
    {
        weir_span_set_all(&span_, weir_attrs_of(attrs.begin(), attrs.size()));
    }
    void event(weir_str name, std::initializer_list<weir_attr> attrs = {})
    {
        weir_span_event(&span_, name, weir_attrs_of(attrs.begin(), attrs.size()), 0);
    }
    void link(const weir_ctx &to, std::initializer_list<weir_attr> attrs = {})
    {
        weir_span_link(&span_, &to, weir_attrs_of(attrs.begin(), attrs.size()));
    }
    void exception(const char *type, const char *message)
    {
        weir_span_exception(&span_, weir_z(type), weir_z(message), weir_z(nullptr));
    }
    void status(weir_status status, weir_str description = weir_str())
    {
        weir_span_status(&span_, status, description);
    }
    void rename(weir_str name)
    {
        weir_span_rename(&span_, name);
    }
    void end()
    {
        weir_span_end(&span_);
    }

private:
    weir_span span_;
};

// Makes a context current until the end of the block.
class attached {
public:
    explicit attached(const weir_ctx &ctx) : previous_(weir_ctx_attach(&ctx))
    {
    }
    attached(const attached &) = delete;
    attached &operator=(const attached &) = delete;
    ~attached()
    {
        weir_ctx_detach(&previous_);
    }

private:
    weir_ctx previous_;
};

// Starts the SDK, and flushes and stops it at the end.
class sdk {
public:
    explicit sdk(const weir_config *config = nullptr, int shutdown_ms = 5000) : shutdown_ms_(shutdown_ms), result_(weir_init(config))
    {
    }
    sdk(const sdk &) = delete;
    sdk &operator=(const sdk &) = delete;
    ~sdk()
    {
        weir_shutdown(shutdown_ms_);
    }
    int result() const // of weir_init
    {
        return result_;
    }

private:
    int shutdown_ms_, result_;
};

} // namespace weir

#endif
